"""A report of result folders as one HTML file that needs no network.

benchbench.report.page.write     write_report: folders to a file
benchbench.report.page.sources   what is read from a folder, finished or not
benchbench.report.page.answer    the numbers in sentences, by fixed rules
benchbench.report.page.claims    verdicts, where claims.csv is there
benchbench.report.page.tables    comparison tables as the template takes them
benchbench.report.page.moved     two runs of one plan
benchbench.report.page.samples   samples, their training neighbours, coverage
benchbench.report.page.images    PNG in data URIs
benchbench.report.page.charts    figures as SVG with a text beside each
benchbench.report.page.origin    failures, provenance, the command to run it again
"""

__all__ = ["FILE"]

FILE = "report.html"
"""What a run's report is called in its folder."""
