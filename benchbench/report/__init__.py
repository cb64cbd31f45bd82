"""From a tidy score frame to what a person reads: tables and figures.

benchbench.report.tables     build_tables: frame, score specs and context to a tree of tables
benchbench.report.renderers  to_markdown, to_latex, to_csv, to_rich, write_tables
benchbench.report.figures    sample grids, scatter plots and seed strips as PNG (matplotlib)

Nothing is imported here, so that a command that draws nothing does not load matplotlib.
"""
