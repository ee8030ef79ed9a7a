#!/usr/bin/env bash
# dlt 1.31.0, filesystem source over SFTP: the port of a URL such as sftp://host:2222/inbox does not take the place of
# the setting `sftp_port`, which is 22 unless it is set. Where the two differ, both reach the SFTP client, and a
# TypeError ends the pipeline before anything connects. The port has to be set, with or without one in the URL.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "dlt[filesystem,sftp]==1.31.0"
export SOURCES__FILESYSTEM__CREDENTIALS__SFTP_USERNAME=demo SOURCES__FILESYSTEM__CREDENTIALS__SFTP_PASSWORD=demo
seen=$(cd "$folder" && "$folder/venv/bin/python" - 2>/dev/null <<'PY'
import os

import dlt
from dlt.sources.filesystem import filesystem

print(dlt.__version__)
for port in (None, "1"):  # nobody listens on port 1, so the best that can come is a refused connection
    if port:
        os.environ["SOURCES__FILESYSTEM__CREDENTIALS__SFTP_PORT"] = port
    try:
        list(filesystem(bucket_url="sftp://127.0.0.1:1/inbox", file_glob="*.csv"))
    except Exception as error:
        while error.__cause__:
            error = error.__cause__
        print(f"sftp_port {port}: {type(error).__name__} {error}")
PY
)
echo "$seen"
[ "$seen" = "1.31.0
sftp_port None: TypeError dict() got multiple values for keyword argument 'port'
sftp_port 1: NoValidConnectionsError [Errno None] Unable to connect to port 1 on 127.0.0.1" ]
