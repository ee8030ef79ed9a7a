# `make demo` runs the demonstration, `make up` opens it in the Dagster UI, `make test` runs the tests. Each installs its dependencies.

PYTHON ?= python3
BIN := .venv/bin
LAKE_PART := $(addprefix cdp_sync_tests/,warehouse/lake warehouse/test_backend.py warehouse/test_turn.py warehouse/test_migrations.py \
	warehouse/test_sessions.py test_cli_dumps.py exporting/test_users.py)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo up test test-ducklake test-ducklake-part scale lint format check soak pollock bench bench-sensors clean

demo: .venv/product  ## import demonstration files from an SFTP server, three times over
	$(BIN)/cdp-sync demo

up: .venv/product  ## open the project in the Dagster UI
	$(BIN)/cdp-sync up

test: .venv/tools  ## all tests
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

test-ducklake: .venv-ducklake/tools  ## all tests on lakes, with PostgreSQL as their catalog: takes hours; LAKE="cdp_sync_tests/importing" for a part
	CDP_SYNC_TEST_LAKE=1 PATH="$(CURDIR)/.venv-ducklake/bin:$$PATH" .venv-ducklake/bin/python -m pytest -q -n 2 --dist worksteal $(LAKE)

test-ducklake-part: .venv-ducklake/tools  ## the part of them that every change is tested with
	$(MAKE) test-ducklake LAKE="$(LAKE_PART)"

scale: .venv-ducklake/tools  ## two workers on a lake, killed and cut off, against a serial run; needs PostgreSQL, redis and root. SCALE="--kills 50 --seed 1"
	.venv-ducklake/bin/python -W ignore -m cdp_sync_tests.scale $(SCALE)

lint: .venv/tools  ## style, types, import layers and declarations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/dg check defs

format: .venv/tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: .venv/product  ## the declared connections
	$(BIN)/cdp-sync check

soak: .venv/tools  ## kill 200 runs at random points and run them again, and measure the growth over 300 runs; SOAK="--kills 20 --runs 50 --seed 1": takes half an hour
	$(BIN)/python -m cdp_sync_tests.soak $(SOAK)

pollock: .venv/tools  ## import a table in about 3,000 polluted variants: takes minutes
	$(BIN)/python -m cdp_sync_tests.pollock

bench: .venv/tools  ## import and export beside hand-written scripts, the search for new files, start-up beside dlt; BENCH="--rows 100000", BENCH_FEW, BENCH_EXPORT, BENCH_EVENTS, BENCH_SEGMENTS, BENCH_LIFECYCLES, BENCH_EVENT_FILES, BENCH_EVENT_EXPORT, BENCH_MERGES, BENCH_SCORES, BENCH_SAILTHRU, BENCH_ITERABLE, BENCH_PROCESSORS, BENCH_WORKBOOK, BENCH_GROWTH and BENCH_START the same
	$(BIN)/python -m cdp_sync_tests.benchmarks.bench $(BENCH)
	$(BIN)/python -m cdp_sync_tests.benchmarks.few_bench $(BENCH_FEW)
	$(BIN)/python -m cdp_sync_tests.benchmarks.export_bench $(BENCH_EXPORT)
	$(BIN)/python -m cdp_sync_tests.benchmarks.events_bench $(BENCH_EVENTS)
	$(BIN)/python -m cdp_sync_tests.benchmarks.segments_bench $(BENCH_SEGMENTS)
	$(BIN)/python -m cdp_sync_tests.benchmarks.lifecycles_bench $(BENCH_LIFECYCLES)
	$(BIN)/python -m cdp_sync_tests.benchmarks.event_files_bench $(BENCH_EVENT_FILES)
	$(BIN)/python -m cdp_sync_tests.benchmarks.event_export_bench $(BENCH_EVENT_EXPORT)
	$(BIN)/python -m cdp_sync_tests.benchmarks.merges_bench $(BENCH_MERGES)
	$(BIN)/python -m cdp_sync_tests.benchmarks.scores_bench $(BENCH_SCORES)
	$(BIN)/python -m cdp_sync_tests.benchmarks.sailthru_bench $(BENCH_SAILTHRU)
	$(BIN)/python -m cdp_sync_tests.benchmarks.iterable_bench $(BENCH_ITERABLE)
	$(BIN)/python -m cdp_sync_tests.benchmarks.processors_bench $(BENCH_PROCESSORS)
	$(BIN)/python -m cdp_sync_tests.benchmarks.workbook_bench $(BENCH_WORKBOOK)
	$(BIN)/python -m cdp_sync_tests.benchmarks.growth_bench $(BENCH_GROWTH)
	$(BIN)/python -m cdp_sync_tests.benchmarks.start_bench --dlt $(BENCH_START)
	$(BIN)/python -W ignore -m cdp_sync_tests.benchmarks.watch_bench $(BENCH_WATCH)

bench-sensors: .venv/tools  ## the intervals of fifty sensors: takes minutes
	$(BIN)/python -W ignore -m cdp_sync_tests.benchmarks.many_bench $(BENCH_SENSORS)

clean:
	rm -rf .venv .venv-ducklake .tmp_dagster_home_* .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; .ci/install python3-venv && $(PYTHON) -m venv .venv; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"

.venv/product: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable ".[sandbox]"
	touch $@

.venv/tools: .venv/product
	$(INSTALL) --group dev
	touch $@

# DuckLake's extensions come for another version of DuckDB than the rest, hence an environment of its own.
.venv-ducklake/tools: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-ducklake
	.venv-ducklake/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	grep -v '^duckdb' constraints.txt > .venv-ducklake/constraints.txt
	.venv-ducklake/bin/python -m pip install --quiet --disable-pip-version-check --constraint .venv-ducklake/constraints.txt \
		--editable ".[sandbox,ducklake]" --group dev
	touch $@
