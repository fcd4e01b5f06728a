# Everything a learner types. Without make: `python -m helpers course` does what `make course` does.
PROFILE ?= tiny
LESSONS ?=
RUN ?= runs/tiny
# TORCH_INDEX: an index to take torch from, such as PyTorch's CPU-only wheels (see the README).
export TORCH_INDEX

ifeq ($(OS),Windows_NT)
PYTHON ?= python
VENV_PYTHON := .venv/Scripts/python.exe
INSTRUCTOR_PYTHON := .cache/instructor/Scripts/python.exe
else
PYTHON ?= python3
VENV_PYTHON := .venv/bin/python
INSTRUCTOR_PYTHON := .cache/instructor/bin/python
endif

.PHONY: setup course site test lab bench gpu tiny soak lock lint instructor exercises grade

setup:
	@$(PYTHON) -m helpers setup

course: setup
	@$(VENV_PYTHON) -m helpers run $(LESSONS) --profile $(PROFILE)

# The book of a run; `make course` ends with it.
site: setup
	@$(VENV_PYTHON) -m helpers site --run "$(RUN)"

test: setup
	@$(VENV_PYTHON) -m pytest -m "not slow" -n logical --maxprocesses 4 --dist loadscope --no-loadscope-reorder

lab: setup
	@$(VENV_PYTHON) -m helpers lab

bench: setup
	@$(VENV_PYTHON) -m helpers bench

gpu: setup
	@$(VENV_PYTHON) -m helpers gpu $(if $(LESSONS),--lessons $(LESSONS))

tiny: setup
	@$(VENV_PYTHON) -m helpers.tiny

soak: setup
	-@$(PYTHON) -m helpers setup --instructor
	@$(VENV_PYTHON) -m pytest -m slow

# For those who teach.
instructor: setup
	@$(PYTHON) -m helpers setup --instructor

exercises: instructor
	@$(INSTRUCTOR_PYTHON) -m helpers.exercises.generate

grade: instructor
	@$(INSTRUCTOR_PYTHON) -m helpers.exercises.grade "$(SUBMISSIONS)"

# For those who change the course.
lock:
	@$(VENV_PYTHON) -m uv --cache-dir .cache/uv pip compile --universal --python-version 3.11 --extra dev --extra serving --extra site --extra tiny --extra instructor --upgrade --no-annotate \
		--custom-compile-command "make lock" --quiet --output-file requirements.lock pyproject.toml

lint: setup
	@$(VENV_PYTHON) -m ruff check . && $(VENV_PYTHON) -m ruff format --check . && $(dir $(VENV_PYTHON))lint-imports --no-cache
