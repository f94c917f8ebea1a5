"""Tables, JSON files and HTML pages, made from stored results."""
