"""Built-in data sets, registered through the same hook as a stranger's."""
