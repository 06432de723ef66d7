# One word for each thing one does; CONTRIBUTING.md says when.
.PHONY: help export test docs bench check
help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

export:  ## write modules and README from the notebooks
	nbdev-clean
	nbdev-export
	python tools/readme.py

test:  ## run every notebook and every test
	pytest

docs:  ## build the site into _docs and check every page
	python tools/site.py

bench:  ## time everything, briefly; the last line of each is JSON
	@for b in bench/*.py; do echo "== $$b"; python $$b --quick || exit 1; done

check: export  ## what CI checks beside the tests: everything in step, one style, types hold, workflows valid
	git diff --exit-code --stat -- nbs birdornot README.md
	ruff check
	python tools/cells.py --check
	mypy
	pyright --pythonpath "$$(command -v python)"
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	zizmor --offline --quiet .github
