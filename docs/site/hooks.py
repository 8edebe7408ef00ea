"""Hooks of MkDocs: pages that lie outside docs/, generated pages, links between them, included tables, notebooks.

The Markdown files link to each other by their paths in the repository, so that they read well there too. The site puts
the files of `OUTSIDE` beside those of docs/, and `on_page_markdown` turns the links into links of the site.
Comments that begin with "league" become tables and findings from zoo/results (benchmarks/league/page.py).
"""

import functools
import posixpath
import re
import sys
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from notebooks import notebook_markdown  # noqa: E402
from reference import commands_page, recipes_page  # noqa: E402
from tables import include_tables  # noqa: E402

from benchmarks.league.page import fill_in  # noqa: E402
from benchmarks.league.results import read_results  # noqa: E402

OUTSIDE = (
    "zoo/RESULTS.md", "zoo/vivid.md",
    "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md",
)  # fmt: skip
GENERATED = {"reference/commands.md": commands_page, "reference/recipes.md": recipes_page}
# Code that contains no links: fenced blocks and spans. Then links and pictures: text and target.
CODE_OR_LINK = re.compile(r"(^```.*?^```|`[^`\n]+`)|(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^()\s]+)\)", re.M | re.S)


def on_files(files, config):
    """Add the pages that lie outside docs/, and the generated ones."""
    for name in OUTSIDE:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for name, make in GENERATED.items():
        files.append(File.generated(config, name, content=make()))
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            files.remove(file)
            name = file.src_uri.removesuffix(".ipynb") + ".md"
            markdown, pictures = notebook_markdown(ROOT / "docs" / file.src_uri)
            files.append(File.generated(config, name, content=markdown))
            for number, content in pictures.items():
                files.append(File.generated(config, f"{posixpath.dirname(name)}/{number}", content=content))
    return files


def on_config(config):
    """Let the navigation name notebooks by their files."""
    config.nav = _renamed(config.nav)
    return config


def on_page_markdown(markdown, page, config, files):
    """Include tables of other files and of the league, and turn links by path in the repository into the site's."""
    markdown = include_tables(markdown, ROOT, page.file.src_uri)
    here = _in_repository(page.file.src_uri)
    markdown = fill_in(markdown, league_results(), here)

    def replace(match):
        code, text, target = match.groups()
        if code or re.match(r"[a-z]+:|#", target):
            return match.group(0)
        path, mark, anchor = target.partition("#")
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
        uri = wanted.removeprefix("docs/") if wanted.startswith("docs/") else wanted
        uri = re.sub(r"\.ipynb$", ".md", uri)
        for candidate in (uri, f"{uri}/README.md"):
            if files.get_file_from_path(candidate):
                relative = posixpath.relpath(candidate, posixpath.dirname(page.file.src_uri) or ".")
                return f"{text}({relative}{mark}{anchor})"
        if not (ROOT / wanted).exists():
            raise PluginError(f"{here} links to {target}, which does not exist")
        return text[1:-1]  # a file of the repository that is no page: its name without a link

    return CODE_OR_LINK.sub(replace, markdown)


@functools.cache
def league_results():
    """Read the league's rows once for all pages."""
    return read_results()


def _in_repository(uri):
    return uri if uri in OUTSIDE else f"docs/{uri}"


def _renamed(nav):
    if isinstance(nav, list):
        return [_renamed(item) for item in nav]
    if isinstance(nav, dict):
        return {title: _renamed(item) for title, item in nav.items()}
    return re.sub(r"\.ipynb$", ".md", nav)
