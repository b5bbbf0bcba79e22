import { Readable } from "node:stream";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { outcome, tell } from "./tell.mjs";

const dummy = { accessKeyId: "placeholder", secretAccessKey: "placeholder" };
const client = eval(process.argv[2]);
const there = { Bucket: "tide", Key: "a//b/Grüße &+%2F.txt" };
const written = await client.send(new PutObjectCommand({ ...there, Body: "high tide" }));
const pieces = ["high ", "tide"].map((text) => Buffer.from(text));
const streamed = await client.send(new PutObjectCommand({ ...there, Body: Readable.from(pieces), ContentLength: 9 }));
const read = await client.send(new GetObjectCommand(there));
const missing = await outcome(client.send(new GetObjectCommand(there)));
const refused = await outcome(client.send(new GetObjectCommand(there)));
tell({
  written: written.ETag,
  streamed: streamed.ETag,
  read: await read.Body.transformToString(),
  missing: missing.Code,
  refused: refused.$metadata.httpStatusCode,
});
