"""The studio: a page that colours photos in the browser, its model file, its runtime and its server."""
