#!/usr/bin/env bash
# @iterable/api 0.13.0, StartExportJobParamsSchema: a time without a zone, in the very form that the API documents, is
# read in the zone of this machine and written as UTC. An export from 2026-01-01 00:00:00 so begins five hours late in
# New York and an hour early in Berlin. Other connectors take such a time for UTC.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @iterable/api@0.13.0 >/dev/null
cat > seen.mjs <<'JS'
import { StartExportJobParamsSchema } from "@iterable/api";

const asked = { dataTypeName: "user", outputFormat: "text/csv", startDateTime: "2026-01-01 00:00:00" };
console.log(process.env.TZ, StartExportJobParamsSchema.parse(asked).startDateTime);
JS
seen=$(for zone in UTC America/New_York Europe/Berlin; do TZ=$zone node seen.mjs; done)
echo "$seen"
[ "$seen" = "UTC 2026-01-01 00:00:00
America/New_York 2026-01-01 05:00:00
Europe/Berlin 2025-12-31 23:00:00" ]
