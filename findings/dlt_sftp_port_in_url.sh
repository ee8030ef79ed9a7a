#!/usr/bin/env bash
# dlt 1.31.0, filesystem source over SFTP, account taken from dlt's configuration: a URL that names the port, as in
# sftp://host:2222/inbox, cannot be used. The port reaches the SFTP client twice, from the URL and as the setting
# `sftp_port`, and a TypeError ends the pipeline before anything connects. Without a port in the URL it connects.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "dlt[filesystem,sftp]==1.31.0"
export SOURCES__FILESYSTEM__CREDENTIALS__SFTP_USERNAME=demo SOURCES__FILESYSTEM__CREDENTIALS__SFTP_PASSWORD=demo
export SOURCES__FILESYSTEM__CREDENTIALS__SFTP_PORT=1
seen=$(cd "$folder" && "$folder/venv/bin/python" - 2>/dev/null <<'PY'
import dlt
from dlt.sources.filesystem import filesystem

print(dlt.__version__)
for port in (":1", ""):  # nobody listens on port 1, so the best that can come is a refused connection
    url = f"sftp://127.0.0.1{port}/inbox"
    try:
        list(filesystem(bucket_url=url, file_glob="*.csv"))
    except Exception as error:
        while error.__cause__:
            error = error.__cause__
        print(f"{url}: {type(error).__name__} {error}")
PY
)
echo "$seen"
[ "$seen" = "1.31.0
sftp://127.0.0.1:1/inbox: TypeError dict() got multiple values for keyword argument 'port'
sftp://127.0.0.1/inbox: NoValidConnectionsError [Errno None] Unable to connect to port 1 on 127.0.0.1" ]
