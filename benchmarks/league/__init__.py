"""The league: every system of the zoo trained on the same photos, set side by side and compared with its report."""
