# Sets itself up: finds uv, or puts it into .venv, and lets it install everything else.
# PYTHON can name another interpreter, 3.11 or newer.
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .venv/bin/uv)

.PHONY: demo test lab site bench clean

demo: $(UV)
	$(UV) run flowlab demo

test: $(UV)
	$(UV) run --group site pytest

# The series and the package's reference as web pages, in build/site/html: make site SCALE=tiny for a quick look.
SCALE ?= class
site: $(UV)
	$(UV) run --group site python docs/build.py --scale $(SCALE)

lab: $(UV)
	$(UV) run flowlab lab

.venv/bin/uv:
	$(PYTHON) -c 'import sys; sys.exit("flowlab needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet uv

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
