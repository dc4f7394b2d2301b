// kafkajs behind the command loop that every client of the ring shares: one JSON command per line in, JSON lines out
// (see ../README.md).
const readline = require('readline');
const fzstd = require('fzstd');
const lz4 = require('lz4-napi');
const snappy = require('kafkajs-snappy');
const zstd = require('@bokuweb/zstd-wasm');
const { CompressionCodecs, CompressionTypes, Kafka, KafkaJSProtocolError, PartitionAssigners, logLevel } = require('kafkajs');

CompressionCodecs[CompressionTypes.Snappy] = snappy;
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: async (buffer) => lz4.decompressFrame(buffer),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(fzstd.decompress(buffer)),
});

const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};
const hex = (buffer) => (buffer === null || buffer === undefined ? null : Buffer.from(buffer).toString('hex'));
const unhex = (text) => (text === null || text === undefined ? null : Buffer.from(text, 'hex'));
const line = (value) => process.stdout.write(JSON.stringify(value) + '\n');

function kafka(command) {
  return new Kafka({
    brokers: [command.bootstrap],
    clientId: command.client_id || 'e2e-kafkajs',
    logLevel: logLevel.NOTHING,
    retry: { retries: command.retries ?? 5 },
    requestTimeout: 15000,
  });
}

function messagesOf(command) {
  if (command.generate) {
    const { count, start = 0, size = 10, partition = 0 } = command.generate;
    return Array.from({ length: count }, (_, i) => ({
      partition,
      key: null,
      value: Buffer.from(String(start + i).padStart(10, '0').padEnd(size, '.')),
    }));
  }
  return command.records.map((record) => {
    const message = { key: unhex(record.key), value: unhex(record.value), headers: {} };
    if (record.partition !== null && record.partition !== undefined) message.partition = record.partition;
    if (record.timestamp !== null && record.timestamp !== undefined) message.timestamp = String(record.timestamp);
    for (const [name, value] of record.headers || []) {
      // kafkajs keeps headers in an object: values of a repeated name come together
      (message.headers[name] ||= []).push(unhex(value));
    }
    return message;
  });
}

/** One send per command: kafkajs makes it one batch for each partition and tells only each batch's base offset. */
async function produce(command) {
  const acks = command.acks || 'all';
  const idempotent = command.idempotent ?? acks === 'all';
  const producer = kafka(command).producer({ idempotent, maxInFlightRequests: 1, allowAutoTopicCreation: true });
  await producer.connect();
  try {
    const messages = messagesOf(command);
    const answers = await producer.send({
      topic: command.topic,
      acks: { all: -1, 1: 1, 0: 0 }[acks],
      compression: CODECS[command.codec || 'none'],
      timeout: command.timeout_ms || 30000,
      messages,
    });
    const next = new Map(answers.map(({ partition, baseOffset }) => [partition, BigInt(baseOffset ?? -1)]));
    messages.forEach((message, index) => {
      const offset = next.get(message.partition) ?? -1n;
      if (offset >= 0n) next.set(message.partition, offset + 1n);
      line({ ack: { index, partition: message.partition, offset: Number(offset), timestamp: Number(message.timestamp ?? -1) } });
    });
    await new Promise((resolve) => setTimeout(resolve, command.stay_ms || 0));
  } finally {
    await producer.disconnect();
  }
}

/** kafkajs has no assigned partitions, only groups: it consumes through one, so only on targets that serve groups. */
async function consume(command) {
  const client = kafka(command);
  const topics = [...new Set(command.assign.map(({ topic }) => topic))];
  const admin = client.admin();
  await admin.connect();
  const open = new Map();
  for (const { topic, partition, offset } of command.assign) {
    const ends = await admin.fetchTopicOffsets(topic);
    const { high, low } = ends.find((end) => end.partition === partition);
    const start = typeof offset === 'number' ? BigInt(offset) : BigInt(offset === 'earliest' ? low : high);
    open.set(`${topic}/${partition}`, { topic, partition, start, end: BigInt(high) });
  }
  await admin.disconnect();
  const consumer = client.consumer({ groupId: command.group || `e2e-${process.pid}-${Date.now()}`, maxWaitTimeInMs: 200 });
  await consumer.connect();
  let seen = 0;
  let timer;
  try {
    await consumer.subscribe({ topics, fromBeginning: true });
    await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`deadline passed after ${seen} records`)), command.timeout_ms || 30000);
      const left = () => [...open.values()].some(({ start, end }) => start < end);
      const enough = () => (command.count ? seen >= command.count : !left());
      if (enough()) resolve();
      consumer
        .run({
          eachMessage: async ({ topic, partition, message }) => {
            const place = open.get(`${topic}/${partition}`);
            if (!place || BigInt(message.offset) < place.start || enough()) return;
            seen += 1;
            place.start = BigInt(message.offset) + 1n;
            printRecord(topic, partition, message);
            if (enough()) resolve();
          },
        })
        .catch(reject);
      for (const { topic, partition, start } of open.values()) consumer.seek({ topic, partition, offset: String(start) });
    });
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
}

/** The built-in assigner of members in turn, under the name and with the bytes by which Kafka's other clients know theirs. */
function roundRobin(name) {
  return ({ cluster }) => {
    const assigner = PartitionAssigners.roundRobin({ cluster });
    return { ...assigner, name, assign: assigner.assign.bind(assigner), protocol: ({ topics }) => ({ ...assigner.protocol({ topics }), name }) };
  };
}

/** A group member until it is told to stop. It commits each record, or each batch when all of it is told. */
async function group(command, input) {
  const consumer = kafka({ ...command, client_id: command.client_id || 'e2e-kafkajs' }).consumer({
    groupId: command.group,
    maxWaitTimeInMs: 200,
    ...(command.assignors && { partitionAssigners: command.assignors.map(roundRobin) }),
    ...(command.session_ms && { sessionTimeout: command.session_ms }),
    ...(command.heartbeat_ms && { heartbeatInterval: command.heartbeat_ms }),
    ...(command.rebalance_ms && { rebalanceTimeout: command.rebalance_ms }),
    ...(command.metadata_ms && { metadataMaxAge: command.metadata_ms }),
  });
  let owned = [];
  const consumed = new Map();
  const { GROUP_JOIN, REBALANCING, COMMIT_OFFSETS, CRASH } = consumer.events;
  const give = () => owned.length && line({ revoked: owned.splice(0) });
  consumer.on(REBALANCING, give);
  consumer.on(GROUP_JOIN, ({ payload }) => {
    give();
    owned = Object.entries(payload.memberAssignment).flatMap(([topic, numbers]) => numbers.map((number) => [topic, number]));
    line({ assigned: [...owned], member: payload.memberId });
  });
  consumer.on(COMMIT_OFFSETS, ({ payload }) =>
    line({
      committed: {
        offsets: payload.topics.flatMap(({ topic, partitions }) => partitions.map(({ partition, offset }) => [topic, Number(partition), Number(offset)])),
      },
    }),
  );
  const crashed = new Promise((_, reject) => consumer.on(CRASH, ({ payload }) => payload.restart || reject(payload.error)));
  const stopped = (async () => {
    for (;;) {
      const { value, done } = await input.next();
      const order = done ? 'stop' : JSON.parse(value).op;
      if (order === 'stop') return;
      await consumer.commitOffsets([...consumed.values()]);
      consumed.clear();
    }
  })();
  const policy = command.commit || 'batch';
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: command.topics, fromBeginning: true });
    await consumer.run({
      autoCommit: policy !== 'manual',
      ...(policy === 'record' && { autoCommitThreshold: 1 }),
      eachMessage: async ({ topic, partition, message }) => {
        printRecord(topic, partition, message);
        consumed.set(`${topic}/${partition}`, { topic, partition, offset: String(BigInt(message.offset) + 1n) });
      },
    });
    await Promise.race([stopped, crashed]);
  } finally {
    await consumer.disconnect();
  }
}

function printRecord(topic, partition, message) {
  const headers = [];
  for (const [name, values] of Object.entries(message.headers || {})) {
    for (const value of Array.isArray(values) ? values : [values]) headers.push([name, hex(value)]);
  }
  line({
    record: {
      topic,
      partition,
      offset: Number(message.offset),
      timestamp: Number(message.timestamp),
      key: hex(message.key),
      value: hex(message.value),
      headers,
    },
  });
}

function nameOf(error) {
  const cause = error.originalError || error.cause || error;
  return cause instanceof KafkaJSProtocolError || cause.type ? cause.type : cause.name;
}

async function main() {
  await zstd.init();
  const input = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  for (let text = await input.next(); !text.done; text = await input.next()) {
    const command = JSON.parse(text.value);
    try {
      await { produce, consume, group }[command.op](command, input);
      line({ done: true });
    } catch (error) {
      line({ error: nameOf(error), message: error.message });
    }
  }
}

main();
