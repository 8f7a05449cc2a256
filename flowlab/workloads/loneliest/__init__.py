"""The loneliest airport: a local web site of airports, and the job of surveying it, written six ways.

Here live the site (server, pages, serving), the steps every strategy shares (steps, computing),
the six strategies (serial, threads, coroutines, processes, hybrid, dataflow) and the job that hands them to a
comparison (jobs). Not here: timing. Invariant: all strategies use the same steps and give equal reports.
"""

from flowlab.workloads.loneliest.jobs import SCALES, Job, job
from flowlab.workloads.loneliest.options import Settings, SiteOptions
from flowlab.workloads.loneliest.reports import Finding, Report
from flowlab.workloads.loneliest.serving import Site, run_site, site

__all__ = ["SCALES", "Finding", "Job", "Report", "Settings", "Site", "SiteOptions", "job", "run_site", "site"]
