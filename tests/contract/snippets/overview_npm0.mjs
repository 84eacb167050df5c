import { LettaClient } from '@letta-ai/letta-client'
const client = new LettaClient({
baseUrl: "http://localhost:8283"
});
const agentState = await client.agents.create({
memoryBlocks: [
{
label: "human",
value: "The human's name is Bob the Builder."
},
{
label: "persona",
value: "My name is Sam, the all-knowing sentient AI."
}
],
model: "openai/gpt-4o-mini",
contextWindowLimit: 16000,
embedding: "openai/text-embedding-3-small"
});
console.log(agentState);
const response = await client.agents.messages.create(
agentState.id, {
messages: [
{
role: "user",
content: "hows it going????"
}
]
}
);
console.log(response);
console.log(response.usage)
for (const message of response.messages) {
console.log(message);
}
