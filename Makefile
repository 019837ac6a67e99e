# The two commands a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-next lint soak bench bench-remote clean

demo: $(VENV)/.installed
	$(BIN)/python launch.py

# More processes than two cores have: a third of the time is waited.
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# Configuration, tasks and sweeps on the next line of Hydra and OmegaConf.
test-next: $(VENV)/.installed-dev
	$(PYTHON) -m venv $(VENV)-next
	$(VENV)-next/bin/python -m pip install -q 'hydra-core==1.4.0rc3' 'omegaconf==2.4.1rc1'
	cd $(VENV)-next && ln -sfn $$($(CURDIR)/$(BIN)/python -c 'import site; print(site.getsitepackages()[0])') others
	echo $(CURDIR)/$(VENV)-next/others > $$($(VENV)-next/bin/python -c 'import site; print(site.getsitepackages()[0])')/zz_others.pth
	PYTHONPATH=$(CURDIR) $(VENV)-next/bin/python -m pytest tests/composition tests/config tests/tasks tests/sweeps

# Ten minutes of good and bad files under random kills and resumes, and five from a store that fails; then thousands of
# damaged files and odd overrides, and the tests that `make test` leaves out.
soak: $(VENV)/.installed-dev
	$(BIN)/python tests/soak.py
	$(BIN)/python tests/soak.py 300 --store
	$(BIN)/python tests/fuzz_files.py
	$(BIN)/python tests/fuzz_configs.py
	$(BIN)/python -m pytest -m soak

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Loaders in turn on a corpus of csv files, those of RAND_AUGMENT with it too; UPSTREAM is a checkout of vjepa2 to
# compare with (needs pandas, opencv). BENCH="--rounds 1 --batches 4" makes it short.
bench: $(VENV)/.installed-dev
	PYTHONPATH=$(CURDIR) $(BIN)/python bench/compare.py $(CORPUS) $(if $(UPSTREAM),--upstream $(UPSTREAM)) --out bench.json \
		$(if $(RAND_AUGMENT),--rand-augment $(RAND_AUGMENT)) $(BENCH)
	$(BIN)/python bench/plot.py bench.json bench.png
	PYTHONPATH=$(CURDIR) $(BIN)/python bench/decoders.py $(CORPUS) > decoders.json
	PYTHONPATH=$(CURDIR) $(BIN)/python bench/scale.py $(CORPUS) $(if $(UPSTREAM),--upstream $(UPSTREAM)) --out scale.json

# Clips from a store in turn with local files and with s3fs and torchcodec, where PEER is a Python that has both.
bench-remote: $(VENV)/.installed-dev
	PYTHONPATH=$(CURDIR):$(CURDIR)/tests $(BIN)/python bench/remote.py $(CORPUS) --out remote.json \
		$(if $(PEER),--peer-python $(PEER)) $(BENCH)
	PYTHONPATH=$(CURDIR):$(CURDIR)/tests $(BIN)/python bench/index_scale.py $(CORPUS) --out index_scale.json

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml Makefile | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[dev,sweep,slurm,torchcodec]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist *.egg-info outputs
