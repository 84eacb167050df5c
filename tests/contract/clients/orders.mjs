// Carry out calls on a published client: one JSON line in, one out. Console output is collected.
import { createInterface } from 'node:readline';

const said = [];
for (const level of ['log', 'warn', 'error']) {
  console[level] = (...parts) => said.push(parts.map(String).join(' '));
}

export const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
export const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export function renamed(value, rename) {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  const pairs = Object.entries(value).map(([key, item]) => [rename(key), renamed(item, rename)]);
  return Object.fromEntries(pairs);
}

// A file comes as {"$file": [name, text]}.
function given(value) {
  if (!value?.$file) return value;
  const [name, text] = value.$file;
  return new File([text], name);
}

async function collected(value, firstPage) {
  if (firstPage && value?.getPaginatedItems) return value.getPaginatedItems();
  if (!value?.[Symbol.asyncIterator]) return value;
  const items = [];
  for await (const item of value) items.push(item);
  return items;
}

async function carryOut(client, order, toClient) {
  const names = order.path.split('.').map(camel);
  const method = names.pop();
  const owner = names.reduce((found, name) => found[name], client);
  const fields = Object.entries(toClient(order.fields)).map(([key, value]) => [key, given(value)]);
  const rest = fields.length ? [Object.fromEntries(fields)] : [];
  const result = await owner[method](...order.positional.map(given), ...rest);
  return collected(result, order.first_page);
}

function described(error) {
  return {
    kind: error.name ?? error.constructor.name,
    status: error.status ?? error.statusCode ?? null,
    body: error.error ?? error.body ?? null,
    text: String(error),
  };
}

export async function obey(client, { toClient = (x) => x, fromClient = (x) => x } = {}) {
  for await (const line of createInterface({ input: process.stdin })) {
    let outcome;
    try {
      const result = await carryOut(client, JSON.parse(line), toClient);
      outcome = { result: fromClient(result) ?? null };
    } catch (error) {
      outcome = { error: described(error) };
    }
    process.stdout.write(`${JSON.stringify({ ...outcome, said: said.splice(0) })}\n`);
  }
}
