// Opens the embedded server in a folder, prints its process id, and leaves when stdin ends.

import { openEmbedded } from '#audit/embedded.js';

const server = await openEmbedded(process.argv[2]);
process.stdout.write(`${server.pid}\n`);
process.stdin.resume().on('end', () => server.close().then(() => process.exit(0)));
