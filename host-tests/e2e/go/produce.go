package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func codecOf(name string) kgo.CompressionCodec {
	switch name {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

func producerOptions(cmd *command) []kgo.Opt {
	linger := 20
	if cmd.LingerMs != nil {
		linger = *cmd.LingerMs
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(cmd.Bootstrap),
		kgo.ClientID(cmd.ClientID),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.AllowAutoTopicCreation(),
		kgo.ProducerBatchCompression(codecOf(cmd.Codec)),
		kgo.ProducerLinger(time.Duration(linger) * time.Millisecond),
		// No RecordDeliveryTimeout: franz-go counts it from the record's own timestamp. The context ends the command.
	}
	if cmd.BatchSize > 0 {
		options = append(options, kgo.ProducerBatchMaxBytes(cmd.BatchSize))
	}
	acks := map[string]kgo.Acks{"all": kgo.AllISRAcks(), "1": kgo.LeaderAck(), "0": kgo.NoAck()}[cmd.Acks]
	options = append(options, kgo.RequiredAcks(acks))
	if idempotent := cmd.Acks == "all" && (cmd.Idempotent == nil || *cmd.Idempotent); !idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	return options
}

// records are those listed, or made from the rule: the number as ten digits, filled up with dots.
func (cmd *command) records() ([]*kgo.Record, error) {
	var records []*kgo.Record
	if rule := cmd.Generate; rule != nil {
		for number := rule.Start; number < rule.Start+rule.Count; number++ {
			value := []byte(fmt.Sprintf("%010d", number))
			if missing := rule.Size - len(value); missing > 0 {
				value = append(value, bytes.Repeat([]byte{'.'}, missing)...)
			}
			records = append(records, &kgo.Record{Topic: cmd.Topic, Partition: rule.Partition, Value: value})
		}
		return records, nil
	}
	for _, listed := range cmd.Records {
		record := &kgo.Record{Topic: cmd.Topic}
		if listed.Partition != nil {
			record.Partition = *listed.Partition
		}
		if listed.Timestamp != nil {
			record.Timestamp = time.UnixMilli(*listed.Timestamp)
		}
		var err error
		if record.Key, err = fromHex(listed.Key); err != nil {
			return nil, err
		}
		if record.Value, err = fromHex(listed.Value); err != nil {
			return nil, err
		}
		for _, header := range listed.Headers {
			value, err := fromHex(header[1])
			if err != nil {
				return nil, err
			}
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: *header[0], Value: value})
		}
		records = append(records, record)
	}
	return records, nil
}

func produce(ctx context.Context, cmd *command) error {
	client, err := kgo.NewClient(producerOptions(cmd)...)
	if err != nil {
		return err
	}
	defer client.Close()
	records, err := cmd.records()
	if err != nil {
		return err
	}
	for index, record := range records {
		client.Produce(ctx, record, func(stored *kgo.Record, err error) {
			if err != nil {
				line(map[string]any{"failed": map[string]any{"index": index, "error": errorName(err), "message": err.Error()}})
				return
			}
			offset := stored.Offset
			if cmd.Acks == "0" {
				offset = -1 // nothing came back that could tell
			}
			line(map[string]any{"ack": map[string]any{
				"index": index, "partition": stored.Partition, "offset": offset, "timestamp": stored.Timestamp.UnixMilli(),
			}})
		})
	}
	err = client.Flush(ctx)
	time.Sleep(time.Duration(cmd.StayMs) * time.Millisecond)
	return err
}
