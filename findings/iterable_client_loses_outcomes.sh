#!/usr/bin/env bash
# @iterable/api 0.13.0: of `failedUpdates` the client keeps invalidEmails and invalidUserIds alone. Who was not found, is
# forgotten, in conflict or had invalid data is counted in failCount and cannot be read. An export job that is
# `cancelled` is refused, by getExportFiles and by getExportJobs, which then returns no job at all.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @iterable/api@0.13.0 >/dev/null
cat > seen.mjs <<'JS'
import { createServer } from "node:http";
import { IterableClient } from "@iterable/api";

const failed = ["invalid", "notFound", "invalidData", "conflict", "forgotten"].map((why) => [`${why}Emails`, [why]]);
const answers = {
  "/api/users/bulkUpdate": { successCount: 0, failCount: 5, failedUpdates: Object.fromEntries(failed) },
  "/api/export/1/files": { jobId: 1, jobState: "cancelled", exportTruncated: false, files: [] },
  "/api/export/jobs": { jobs: [{ id: 1, dataTypeName: "user", jobState: "cancelled" }] },
};
const server = createServer((call, answer) => {
  answer.setHeader("Content-Type", "application/json").end(JSON.stringify(answers[call.url.split("?")[0]]));
});
await new Promise((started) => server.listen(0, "127.0.0.1", started));
const client = new IterableClient({ apiKey: "k", baseUrl: `http://127.0.0.1:${server.address().port}` });
console.log(JSON.stringify(await client.bulkUpdateUsers({ users: [] })));
for (const method of ["getExportFiles", "getExportJobs"]) {
  console.log(method, await client[method]({ jobId: 1 }).catch((error) => error.name));
}
server.close();
client.destroy();
JS
seen=$(node seen.mjs)
echo "$seen"
[ "$seen" = '{"successCount":0,"failCount":5,"failedUpdates":{"invalidEmails":["invalid"]}}
getExportFiles IterableResponseValidationError
getExportJobs IterableResponseValidationError' ]
