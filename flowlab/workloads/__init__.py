"""Teaching workloads: real jobs on a real local site, each written six ways.

Here live the sites and the jobs. Not here: how strategies are timed (comparison) and what a call cost (metrics).
Invariant: nothing leaves the loopback interface, and every strategy of a job gives the same report.
"""
