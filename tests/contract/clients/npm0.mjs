// The camelCase generation; names are translated so that one test speaks to all clients.
import { LettaClient } from '@letta-ai/letta-client';
import { camel, obey, renamed, snake } from './orders.mjs';

const client = new LettaClient({ baseUrl: process.argv[2] });
await obey(client, {
  toClient: (value) => renamed(value, camel),
  fromClient: (value) => renamed(value, snake),
});
