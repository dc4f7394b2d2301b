package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const batchRecords = 500

var balancers = map[string]kgo.GroupBalancer{
	"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(),
	"sticky": kgo.StickyBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer(),
}

// orders passes on the lines that come while a member works; "stop" is the last one that is taken from the input.
func orders(in *bufio.Scanner) <-chan string {
	passed := make(chan string, 100)
	go func() {
		for {
			order := command{Op: "stop"}
			if in.Scan() && json.Unmarshal(in.Bytes(), &order) != nil {
				order.Op = "stop"
			}
			passed <- order.Op
			if order.Op == "stop" {
				return
			}
		}
	}()
	return passed
}

func places(partitions map[string][]int32) [][2]any {
	rows := [][2]any{}
	for topic, numbers := range partitions {
		for _, number := range numbers {
			rows = append(rows, [2]any{topic, number})
		}
	}
	return rows
}

// commit tells what it committed. A commit that the coordinator refuses is told, and stays to be done; a fenced member ends.
func commit(ctx context.Context, client *kgo.Client) error {
	rows := [][3]any{}
	for topic, partitions := range client.UncommittedOffsets() {
		for number, at := range partitions {
			rows = append(rows, [3]any{topic, number, at.Offset})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if failed := client.CommitUncommittedOffsets(ctx); failed != nil {
		line(map[string]any{"refused": map[string]any{"error": errorName(failed)}})
		if errors.Is(failed, kerr.FencedInstanceID) {
			return failed
		}
		return nil
	}
	line(map[string]any{"committed": map[string]any{"offsets": rows}})
	return nil
}

func memberOptions(cmd *command) []kgo.Opt {
	options := []kgo.Opt{
		kgo.SeedBrokers(cmd.Bootstrap),
		kgo.ClientID(cmd.ClientID),
		kgo.ConsumerGroup(cmd.Group),
		kgo.ConsumeTopics(cmd.Topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), // what a poll gave is told before its partition may be revoked
		kgo.FetchMaxWait(time.Duration(cmd.MaxWaitMs) * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, client *kgo.Client, partitions map[string][]int32) {
			member, generation := client.GroupMetadata()
			line(map[string]any{"assigned": places(partitions), "generation": generation, "member": member})
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
			_ = commit(ctx, client) // the next one says so again, if it was fenced
			line(map[string]any{"revoked": places(partitions)})
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			line(map[string]any{"lost": places(partitions)})
		}),
	}
	chosen := []kgo.GroupBalancer{}
	for _, name := range cmd.Assignors {
		chosen = append(chosen, balancers[name])
	}
	if len(chosen) > 0 {
		options = append(options, kgo.Balancers(chosen...))
	}
	if cmd.InstanceID != "" {
		options = append(options, kgo.InstanceID(cmd.InstanceID))
	}
	for _, one := range []struct {
		ms     int
		option func(time.Duration) kgo.Opt
	}{
		{cmd.SessionMs, func(d time.Duration) kgo.Opt { return kgo.SessionTimeout(d) }},
		{cmd.HeartbeatMs, func(d time.Duration) kgo.Opt { return kgo.HeartbeatInterval(d) }},
		{cmd.RebalanceMs, func(d time.Duration) kgo.Opt { return kgo.RebalanceTimeout(d) }},
		{cmd.MetadataMs, func(d time.Duration) kgo.Opt { return kgo.MetadataMaxAge(d) }},
	} {
		if one.ms > 0 {
			options = append(options, one.option(time.Duration(one.ms)*time.Millisecond))
		}
	}
	return options
}

// group is a member until it is told to stop. What was consumed and not yet committed is committed on revocation.
func group(cmd *command, in *bufio.Scanner) error {
	waiting := orders(in)
	client, err := kgo.NewClient(memberOptions(cmd)...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	ctx := context.Background()
	for {
		select {
		case order := <-waiting:
			if order == "stop" {
				return nil
			}
			if err := commit(ctx, client); err != nil {
				return err
			}
		default:
		}
		if err := consumeBatch(ctx, cmd, client); err != nil {
			return err
		}
	}
}

func consumeBatch(ctx context.Context, cmd *command, client *kgo.Client) error {
	limited, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	defer client.AllowRebalance()
	fetches := client.PollRecords(limited, batchRecords)
	for _, failed := range fetches.Errors() {
		if errors.Is(failed.Err, kerr.FencedInstanceID) {
			return failed.Err
		}
		if !errors.Is(failed.Err, context.DeadlineExceeded) { // the client gets over it by itself
			line(map[string]any{"trouble": map[string]any{"error": errorName(failed.Err)}})
		}
	}
	fetches.EachRecord(printRecord)
	if cmd.Commit == "manual" {
		return nil
	}
	return commit(ctx, client)
}
