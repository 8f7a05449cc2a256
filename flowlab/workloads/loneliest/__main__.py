"""The site as a process of its own; `flowlab site` starts one by hand."""

import sys

from flowlab.workloads.loneliest.serving import main

if __name__ == "__main__":
    sys.exit(main())
