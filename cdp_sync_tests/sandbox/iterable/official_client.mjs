// Calls Iterable's official client for another program: a line of JSON in, one out.
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const entry = join(process.env.CDP_SYNC_ITERABLE_CLIENT, "node_modules", "@iterable", "api", "dist", "index.js");
const { IterableClient } = await import(pathToFileURL(entry));
const client = new IterableClient({ apiKey: process.env.KEY, baseUrl: process.argv[2] });

for await (const line of createInterface({ input: process.stdin })) {
  const { method, parameters } = JSON.parse(line);
  let answer;
  try {
    answer = { result: await client[method](parameters) };
  } catch (error) {
    answer = { error: { kind: error.name, status: error.statusCode, code: error.code, message: error.message } };
  }
  console.log(JSON.stringify(answer));
}
