import { Letta } from '@letta-ai/letta-client';
import { obey } from './orders.mjs';

await obey(new Letta({ baseURL: process.argv[2] }));
