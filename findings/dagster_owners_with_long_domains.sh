#!/usr/bin/env bash
# Dagster 1.13.27, owners of an asset: an address is taken only where its top-level domain has two to seven ASCII
# letters. Addresses below .technology, which exists, or of a domain beyond ASCII are refused, and the definition with
# them; so is the ASCII form of such a top-level domain.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dagster==1.13.27
seen=$("$folder/venv/bin/python" - 2>&1 <<'PY'
import dagster as dg

print(dg.__version__)
for owner in ("crm@shop.example", "crm@shop.museum", "crm@shop.technology", "crm@b\u00fccher.example", "crm@shop.xn--p1ai"):
    try:
        dg.AssetSpec("customers", owners=[owner])
        print(ascii(owner), "taken")
    except dg.DagsterInvalidDefinitionError:
        print(ascii(owner), "refused")
PY
)
echo "$seen"
[ "$seen" = "1.13.27
'crm@shop.example' taken
'crm@shop.museum' taken
'crm@shop.technology' refused
'crm@b\\xfccher.example' refused
'crm@shop.xn--p1ai' refused" ]
