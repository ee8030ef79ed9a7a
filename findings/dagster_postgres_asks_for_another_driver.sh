#!/usr/bin/env bash
# dagster-postgres 0.29.27 with SQLAlchemy 2.1.0: it depends on psycopg2, and its default URL begins with `postgresql://`,
# which SQLAlchemy 2.1 reads as psycopg 3. A fresh installation cannot open its storage. `scheme: postgresql+psycopg2`
# under `postgres_db` in dagster.yaml names the driver that is there.
# Seen: ModuleNotFoundError for psycopg with the default; psycopg2 with the scheme. No database is needed to see it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    dagster-postgres==0.29.27 dagster==1.13.27 sqlalchemy==2.1.0
cd "$folder"
seen=$(venv/bin/python - <<'PY'
from importlib.metadata import requires, version

import sqlalchemy
from dagster_postgres.utils import pg_url_from_config

named = {"username": "u", "password": "p", "hostname": "localhost", "db_name": "d"}
print(version("dagster-postgres"), sqlalchemy.__version__)
print([each for each in requires("dagster-postgres") if each.startswith("psycopg")])
for more in ({}, {"scheme": "postgresql+psycopg2"}):
    url = pg_url_from_config({"postgres_db": {**named, **more}})
    try:
        print(url.partition("://")[0], sqlalchemy.create_engine(url).driver)
    except ModuleNotFoundError as error:
        print(url.partition("://")[0], error)
PY
)
echo "$seen"
[ "$seen" = "0.29.27 2.1.0
['psycopg2-binary']
postgresql No module named 'psycopg'
postgresql+psycopg2 psycopg2" ]
