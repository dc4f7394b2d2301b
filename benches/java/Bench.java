import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.pulsar.client.api.CompressionType;
import org.apache.pulsar.client.api.Consumer;
import org.apache.pulsar.client.api.Message;
import org.apache.pulsar.client.api.Producer;
import org.apache.pulsar.client.api.PulsarClient;
import org.apache.pulsar.client.api.Schema;
import org.apache.pulsar.client.api.SubscriptionInitialPosition;
import org.apache.pulsar.client.api.SubscriptionMode;

/**
 * The clients of the end-to-end benchmark: the same work through Kafka's own client or Pulsar's.
 *
 * <p>{@code Bench produce|consume|latency kafka|pulsar NAME=VALUE ...} prints {@code start} and {@code end} around what is measured
 * and last {@code result NAME=VALUE ...}. Connecting, metadata and the warm-up come before {@code start}. One partition, one producer,
 * batches of 128 KiB with 10 ms linger, no compression, everything acknowledged. With more partitions, records go to each in turn.
 *
 * <p>Options: {@code address}, {@code topic}, {@code partitions} (1), {@code records}, {@code warm_up}, {@code size} (bytes of a value), {@code rate} (messages
 * a second, for latency), {@code listener} (a Pulsar client behind a proxy asks for addresses by this name), {@code batches_in_flight}
 * (of a Pulsar client; without it there is no bound, while Kafka's idempotent producer has at most 5).
 */
public final class Bench {
    private static final int BATCH_BYTES = 128 << 10;
    private static final int LINGER_MS = 10;
    private static final int POLL_MS = 100;
    /** A run in which nothing moves for so long has failed. */
    private static final long PATIENCE_S = 60;

    private final Map<String, String> options;
    private final boolean kafka;

    private Bench(Map<String, String> options, boolean kafka) {
        this.options = options;
        this.kafka = kafka;
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (String option : Arrays.asList(args).subList(2, args.length)) {
            String[] pair = option.split("=", 2);
            options.put(pair[0], pair[1]);
        }
        var bench = new Bench(options, args[1].equals("kafka"));
        switch (args[0]) {
            case "produce" -> bench.produce();
            case "consume" -> bench.consume();
            case "latency" -> bench.latency();
            default -> throw new IllegalArgumentException(args[0]);
        }
        // What a client's own threads still want to tidy up is not waited for.
        System.exit(0);
    }

    /** Records/s from the first send to the last acknowledgement. */
    private void produce() throws Exception {
        byte[][] values = values(number("size"));
        try (Sink sink = sink(true)) {
            write(sink, values, number("warm_up"));
            long began = mark("start");
            write(sink, values, number("records"));
            result(number("records"), began, mark("end"));
        }
    }

    private static void write(Sink sink, byte[][] values, int count) throws Exception {
        var acknowledged = new Semaphore(0);
        for (int i = 0; i < count; i++) {
            sink.send(values[i % values.length], acknowledged::release);
        }
        sink.flush();
        if (!acknowledged.tryAcquire(count, PATIENCE_S, TimeUnit.SECONDS)) {
            throw new IllegalStateException((count - acknowledged.availablePermits()) + " records were not acknowledged");
        }
    }

    /** Records/s over what follows the warm-up, from the beginning of the partition. */
    private void consume() throws Exception {
        try (Source source = source(true)) {
            long seen = read(source, 0, number("warm_up"));
            long began = mark("start");
            // What came in the same poll as the last of the warm-up is not counted.
            long until = (long) number("warm_up") + number("records");
            long last = read(source, seen, until);
            result(last - seen, began, mark("end"));
        }
    }

    private long read(Source source, long seen, long until) throws Exception {
        int size = number("size");
        long moved = System.nanoTime();
        while (seen < until) {
            int[] came = {0};
            source.poll(value -> {
                if (value.length != size) {
                    throw new IllegalStateException("a value of " + value.length + " bytes");
                }
                came[0]++;
            });
            seen += came[0];
            if (came[0] > 0) {
                moved = System.nanoTime();
            } else if (System.nanoTime() - moved > TimeUnit.SECONDS.toNanos(PATIENCE_S)) {
                throw new IllegalStateException("nothing came after " + seen + " records");
            }
        }
        return seen;
    }

    /** How long single messages take, to their acknowledgement and to a consumer that waits for them. */
    private void latency() throws Exception {
        int warmUp = number("warm_up");
        int count = warmUp + number("records");
        long[] read = new long[count];
        long[] acknowledged = new long[count];
        var reads = new AtomicLong();
        var acks = new AtomicLong();
        var failure = new AtomicReference<Throwable>();
        try (Source source = source(false); Sink sink = sink(false)) {
            var reader = new Thread(() -> {
                try {
                    while (reads.get() < count) {
                        source.poll(value -> {
                            long now = System.nanoTime();
                            var header = ByteBuffer.wrap(value);
                            read[header.getInt()] = now - header.getLong();
                            reads.incrementAndGet();
                        });
                    }
                } catch (Throwable error) {
                    failure.set(error);
                }
            });
            reader.start();
            long began = 0;
            long interval = TimeUnit.SECONDS.toNanos(1) / number("rate");
            long due = System.nanoTime();
            for (int i = 0; i < count; i++, due += interval) {
                if (i == warmUp) {
                    began = mark("start");
                }
                for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
                    LockSupport.parkNanos(left);
                }
                int index = i;
                byte[] value = new byte[number("size")];
                long sent = System.nanoTime();
                ByteBuffer.wrap(value).putInt(index).putLong(sent);
                sink.send(value, () -> {
                    acknowledged[index] = System.nanoTime() - sent;
                    acks.incrementAndGet();
                });
            }
            reader.join(TimeUnit.SECONDS.toMillis(PATIENCE_S));
            sink.flush();
            long ended = mark("end");
            if (failure.get() != null || reads.get() < count || acks.get() < count) {
                throw new IllegalStateException(reads + " of " + count + " messages came back", failure.get());
            }
            System.out.println("result seconds=" + (ended - began) / 1e9 + quantiles("read", read, warmUp)
                + quantiles("ack", acknowledged, warmUp));
        }
    }

    private static String quantiles(String what, long[] nanos, int from) {
        long[] sorted = Arrays.copyOfRange(nanos, from, nanos.length);
        Arrays.sort(sorted);
        String text = "";
        for (int percent : new int[] {50, 99}) {
            text += " " + what + "_p" + percent + "_ms=" + sorted[sorted.length * percent / 100] / 1e6;
        }
        return text;
    }

    /** Tells the harness, which then looks at the servers' clocks. */
    private static long mark(String what) {
        System.out.println(what);
        System.out.flush();
        return System.nanoTime();
    }

    private static void result(long records, long began, long ended) {
        System.out.println("result records=" + records + " seconds=" + (ended - began) / 1e9);
    }

    /** Random, but made before anything is measured: making them costs more than sending them. */
    private static byte[][] values(int size) {
        var random = new Random(4711);
        byte[][] values = new byte[Math.max(1, (8 << 20) / size)][size];
        for (byte[] value : values) {
            random.nextBytes(value);
        }
        return values;
    }

    private int number(String name) {
        return Integer.parseInt(options.get(name));
    }

    private int number(String name, int otherwise) {
        return options.containsKey(name) ? number(name) : otherwise;
    }

    /** Where records go; {@code send} may block while too much is in flight. */
    private interface Sink extends AutoCloseable {
        void send(byte[] value, Runnable acknowledged);

        void flush() throws Exception;
    }

    /** Where records come from. */
    private interface Source extends AutoCloseable {
        void poll(java.util.function.Consumer<byte[]> each) throws Exception;
    }

    private Sink sink(boolean batched) throws Exception {
        return kafka ? new KafkaSink(batched) : new PulsarSink(batched);
    }

    private Source source(boolean fromBeginning) throws Exception {
        return kafka ? new KafkaSource(fromBeginning) : new PulsarSource(fromBeginning);
    }

    private static void fail(Throwable error) {
        error.printStackTrace();
        Runtime.getRuntime().halt(1);
    }

    private final class KafkaSink implements Sink {
        private final KafkaProducer<byte[], byte[]> producer;
        private int next;

        KafkaSink(boolean batched) {
            Map<String, Object> config = new HashMap<>();
            config.put("bootstrap.servers", options.get("address"));
            config.put("client.id", "bench");
            config.put("acks", "all");
            config.put("enable.idempotence", true);
            config.put("compression.type", "none");
            config.put("batch.size", BATCH_BYTES);
            config.put("linger.ms", batched ? LINGER_MS : 0);
            producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
        }

        @Override
        public void send(byte[] value, Runnable acknowledged) {
            int partition = next++ % partitions();
            producer.send(new ProducerRecord<>(options.get("topic"), partition, null, value), (metadata, error) -> {
                if (error != null) {
                    fail(error);
                }
                acknowledged.run();
            });
        }

        @Override
        public void flush() {
            producer.flush();
        }

        @Override
        public void close() {
            producer.close();
        }
    }

    private final class KafkaSource implements Source {
        private final KafkaConsumer<byte[], byte[]> consumer;

        KafkaSource(boolean fromBeginning) {
            Map<String, Object> config = new HashMap<>();
            config.put("bootstrap.servers", options.get("address"));
            config.put("client.id", "bench");
            config.put("auto.offset.reset", "none");
            consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            var all = IntStream.range(0, partitions()).mapToObj(number -> new TopicPartition(options.get("topic"), number)).toList();
            consumer.assign(all);
            if (fromBeginning) {
                consumer.seekToBeginning(all);
            } else {
                consumer.seekToEnd(all);
            }
            all.forEach(consumer::position);
        }

        @Override
        public void poll(java.util.function.Consumer<byte[]> each) {
            for (var record : consumer.poll(Duration.ofMillis(POLL_MS))) {
                each.accept(record.value());
            }
        }

        @Override
        public void close() {
            consumer.close();
        }
    }

    private PulsarClient pulsar() throws Exception {
        var builder = PulsarClient.builder().serviceUrl("pulsar://" + options.get("address"));
        if (options.containsKey("listener")) {
            builder.listenerName(options.get("listener"));
        }
        return builder.build();
    }

    private int partitions() {
        return number("partitions", 1);
    }

    /** A partition by its name, which spares the client the work of a partitioned topic. */
    private String partition(int number) {
        return "persistent://public/default/" + options.get("topic") + "-partition-" + number;
    }

    private final class PulsarSink implements Sink {
        private final PulsarClient client = pulsar();
        private final List<Producer<byte[]>> producers = new ArrayList<>();
        private int next;

        PulsarSink(boolean batched) throws Exception {
            for (int number = 0; number < partitions(); number++) {
                producers.add(producer(number, batched));
            }
        }

        private Producer<byte[]> producer(int number, boolean batched) throws Exception {
            return client.newProducer(Schema.BYTES).topic(partition(number))
                .compressionType(CompressionType.NONE)
                .blockIfQueueFull(true)
                .maxPendingMessages(number("batches_in_flight", 0) * (BATCH_BYTES / number("size")))
                .enableBatching(batched)
                .batchingMaxBytes(BATCH_BYTES)
                .batchingMaxMessages(Integer.MAX_VALUE)
                .batchingMaxPublishDelay(LINGER_MS, TimeUnit.MILLISECONDS)
                .create();
        }

        @Override
        public void send(byte[] value, Runnable acknowledged) {
            producers.get(next++ % producers.size()).sendAsync(value).whenComplete((id, error) -> {
                if (error != null) {
                    fail(error);
                }
                acknowledged.run();
            });
        }

        @Override
        public void flush() throws Exception {
            for (Producer<byte[]> producer : producers) {
                producer.flush();
            }
        }

        @Override
        public void close() throws Exception {
            client.close();
        }
    }

    /** Not durable, and nothing is acknowledged: all that an assigned Kafka consumer does, too. */
    private final class PulsarSource implements Source {
        private final PulsarClient client = pulsar();
        private final Consumer<byte[]> consumer;

        PulsarSource(boolean fromBeginning) throws Exception {
            var all = IntStream.range(0, partitions()).mapToObj(Bench.this::partition).toList();
            consumer = client.newConsumer(Schema.BYTES).topics(all)
                .subscriptionName("bench")
                .subscriptionMode(SubscriptionMode.NonDurable)
                .subscriptionInitialPosition(
                    fromBeginning ? SubscriptionInitialPosition.Earliest : SubscriptionInitialPosition.Latest)
                .receiverQueueSize(Integer.parseInt(options.getOrDefault("receiver_queue", "1000")))
                .subscribe();
        }

        @Override
        public void poll(java.util.function.Consumer<byte[]> each) throws Exception {
            Message<byte[]> message = consumer.receive(POLL_MS, TimeUnit.MILLISECONDS);
            if (message != null) {
                each.accept(message.getData());
            }
        }

        @Override
        public void close() throws Exception {
            client.close();
        }
    }
}
