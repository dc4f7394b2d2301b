// franz-go behind the command loop that every client of the ring shares: one JSON command per line in, JSON lines out
// (see ../README.md).
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

type header [2]*string

type record struct {
	Partition *int32   `json:"partition"`
	Key       *string  `json:"key"`
	Value     *string  `json:"value"`
	Timestamp *int64   `json:"timestamp"`
	Headers   []header `json:"headers"`
}

type rule struct {
	Count     int   `json:"count"`
	Start     int   `json:"start"`
	Size      int   `json:"size"`
	Partition int32 `json:"partition"`
}

type assignment struct {
	Topic     string          `json:"topic"`
	Partition int32           `json:"partition"`
	Offset    json.RawMessage `json:"offset"`
}

type command struct {
	Op                string       `json:"op"`
	Bootstrap         string       `json:"bootstrap"`
	ClientID          string       `json:"client_id"`
	Topic             string       `json:"topic"`
	Acks              string       `json:"acks"`
	Codec             string       `json:"codec"`
	Idempotent        *bool        `json:"idempotent"`
	BatchSize         int32        `json:"batch_size"`
	LingerMs          *int         `json:"linger_ms"`
	TimeoutMs         int          `json:"timeout_ms"`
	StayMs            int          `json:"stay_ms"`
	Records           []record     `json:"records"`
	Generate          *rule        `json:"generate"`
	Assign            []assignment `json:"assign"`
	Count             *int         `json:"count"`
	MinBytes          int32        `json:"min_bytes"`
	MaxWaitMs         int          `json:"max_wait_ms"`
	MaxBytes          int32        `json:"max_bytes"`
	MaxPartitionBytes int32        `json:"max_partition_bytes"`
	Group             string       `json:"group"`
	Topics            []string     `json:"topics"`
	InstanceID        string       `json:"instance_id"`
	Assignors         []string     `json:"assignors"`
	Commit            string       `json:"commit"`
	SessionMs         int          `json:"session_ms"`
	HeartbeatMs       int          `json:"heartbeat_ms"`
	RebalanceMs       int          `json:"rebalance_ms"`
	MetadataMs        int          `json:"metadata_ms"`
}

var outLock sync.Mutex

// line writes one JSON line; callbacks of the client write too, hence the lock.
func line(value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	outLock.Lock()
	defer outLock.Unlock()
	fmt.Println(string(text))
}

func toHex(bytes []byte) *string {
	if bytes == nil {
		return nil
	}
	text := hex.EncodeToString(bytes)
	return &text
}

func fromHex(text *string) ([]byte, error) {
	if text == nil {
		return nil, nil
	}
	bytes, err := hex.DecodeString(*text)
	if bytes == nil {
		bytes = []byte{} // empty is not null
	}
	return bytes, err
}

// errorName is the name in Kafka's error table, or the client's own words.
func errorName(err error) string {
	var known *kerr.Error
	if errors.As(err, &known) {
		return known.Message
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "DEADLINE"
	}
	return fmt.Sprintf("%T", err)
}

func run(text []byte, in *bufio.Scanner) error {
	cmd := command{ClientID: "e2e-franz-go", Acks: "all", Codec: "none", TimeoutMs: 30000, MinBytes: 1, MaxWaitMs: 200}
	if err := json.Unmarshal(text, &cmd); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(cmd.TimeoutMs)*time.Millisecond)
	defer cancel()
	switch cmd.Op {
	case "produce":
		return produce(ctx, &cmd)
	case "consume":
		return consume(ctx, &cmd)
	case "group":
		return group(&cmd, in)
	}
	return fmt.Errorf("unknown op %q", cmd.Op)
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		if err := run(in.Bytes(), in); err != nil {
			line(map[string]any{"error": errorName(err), "message": err.Error()})
		} else {
			line(map[string]any{"done": true})
		}
	}
}
