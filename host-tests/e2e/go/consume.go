package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type place struct {
	topic     string
	partition int32
}

// startOf reads a number, "earliest", "latest" or {"timestamp": ms}.
func startOf(text json.RawMessage) (kgo.Offset, error) {
	var number int64
	if json.Unmarshal(text, &number) == nil {
		return kgo.NewOffset().At(number), nil
	}
	var name string
	if json.Unmarshal(text, &name) == nil {
		if name == "earliest" {
			return kgo.NewOffset().AtStart(), nil
		}
		return kgo.NewOffset().AtEnd(), nil
	}
	var at struct {
		Timestamp int64 `json:"timestamp"`
	}
	err := json.Unmarshal(text, &at)
	return kgo.NewOffset().AfterMilli(at.Timestamp), err
}

func consumerOptions(cmd *command) ([]kgo.Opt, error) {
	starts := map[string]map[int32]kgo.Offset{}
	for _, one := range cmd.Assign {
		start, err := startOf(one.Offset)
		if err != nil {
			return nil, err
		}
		if starts[one.Topic] == nil {
			starts[one.Topic] = map[int32]kgo.Offset{}
		}
		starts[one.Topic][one.Partition] = start
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(cmd.Bootstrap),
		kgo.ClientID(cmd.ClientID),
		kgo.ConsumePartitions(starts),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMinBytes(cmd.MinBytes),
		kgo.FetchMaxWait(time.Duration(cmd.MaxWaitMs) * time.Millisecond),
	}
	if cmd.MaxBytes > 0 {
		options = append(options, kgo.FetchMaxBytes(cmd.MaxBytes))
	}
	if cmd.MaxPartitionBytes > 0 {
		options = append(options, kgo.FetchMaxPartitionBytes(cmd.MaxPartitionBytes))
	}
	return options, nil
}

// ends is where the assigned partitions end now; records before these are waited for.
func ends(ctx context.Context, client *kgo.Client, cmd *command) (map[place]int64, error) {
	found := map[place]int64{}
	for _, one := range cmd.Assign {
		listed, err := kadm.NewClient(client).ListEndOffsets(ctx, one.Topic)
		if err != nil {
			return nil, err
		}
		end, known := listed.Lookup(one.Topic, one.Partition)
		if !known {
			return nil, fmt.Errorf("no end of %s/%d", one.Topic, one.Partition)
		}
		if end.Err != nil {
			return nil, end.Err
		}
		start, err := kadm.NewClient(client).ListStartOffsets(ctx, one.Topic)
		if err != nil {
			return nil, err
		}
		if first, _ := start.Lookup(one.Topic, one.Partition); first.Offset < end.Offset {
			found[place{one.Topic, one.Partition}] = end.Offset
		}
	}
	return found, nil
}

func consume(ctx context.Context, cmd *command) error {
	options, err := consumerOptions(cmd)
	if err != nil {
		return err
	}
	// A partition may end with a control record, which moves the position like any other.
	client, err := kgo.NewClient(append(options, kgo.KeepControlRecords())...)
	if err != nil {
		return err
	}
	defer client.Close()
	var open map[place]int64
	if cmd.Count == nil {
		if open, err = ends(ctx, client, cmd); err != nil {
			return err
		}
	}
	seen := 0
	for (cmd.Count == nil && len(open) > 0) || (cmd.Count != nil && seen < *cmd.Count) {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("after %d records: %w", seen, err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if cmd.Count != nil && seen >= *cmd.Count {
				return
			}
			if !record.Attrs.IsControl() {
				seen++
				printRecord(record)
			}
			at := place{record.Topic, record.Partition}
			if end, waited := open[at]; waited && record.Offset+1 >= end {
				delete(open, at)
			}
		})
	}
	return nil
}

func printRecord(record *kgo.Record) {
	headers := [][2]any{}
	for _, header := range record.Headers {
		headers = append(headers, [2]any{header.Key, toHex(header.Value)})
	}
	line(map[string]any{"record": map[string]any{
		"topic": record.Topic, "partition": record.Partition, "offset": record.Offset, "timestamp": record.Timestamp.UnixMilli(),
		"key": toHex(record.Key), "value": toHex(record.Value), "headers": headers,
	}})
}
