#!/usr/bin/env bash
# @iterable/api 0.13.0, getListUsers and getListPreviewUsers: the answer is text, one identifier a line, but axios reads
# any text that is JSON. A list whose only member has a userId of digits so becomes a number, and the client refuses its
# own reading of it. Two members, or a userId with a letter, are read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @iterable/api@0.13.0 >/dev/null
cat > seen.mjs <<'JS'
import { createServer } from "node:http";
import { IterableClient } from "@iterable/api";

let members = "";
const server = createServer((_, answer) => answer.setHeader("Content-Type", "text/plain").end(members));
await new Promise((started) => server.listen(0, "127.0.0.1", started));
const client = new IterableClient({ apiKey: "k", baseUrl: `http://127.0.0.1:${server.address().port}` });
for (members of ["u1000001", "1000001\n1000002", "1000001"]) {
  for (const method of ["getListUsers", "getListPreviewUsers"]) {
    const seen = await client[method]({ listId: 1 }).then((found) => found.users.length, (error) => error.name);
    console.log(JSON.stringify(members), method, seen);
  }
}
server.close();
client.destroy();
JS
seen=$(node seen.mjs)
echo "$seen"
[ "$seen" = '"u1000001" getListUsers 1
"u1000001" getListPreviewUsers 1
"1000001\n1000002" getListUsers 2
"1000001\n1000002" getListPreviewUsers 2
"1000001" getListUsers IterableResponseValidationError
"1000001" getListPreviewUsers IterableResponseValidationError' ]
