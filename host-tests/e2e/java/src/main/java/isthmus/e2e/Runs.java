package isthmus.e2e;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * Lines for very many records: {"run": {"number", "offset", "size", "count"}} stands for "count" records in a row whose numbers and
 * offsets each grow by one. Offsets that are not known are all -1. A run is told after LONGEST records, so that others see progress.
 */
final class Runs {
    private static final long LONGEST = 1000;

    private final Answer out;
    private long number;
    private long offset;
    private long size;
    private long count;

    /** Null where the command wants a line for each record. */
    static Runs wanted(JsonNode command, Answer out) {
        return Answer.flag(command, "runs", false) ? new Runs(out) : null;
    }

    private Runs(Answer out) {
        this.out = out;
    }

    synchronized void add(long nextNumber, long nextOffset, long nextSize) {
        boolean follows = nextOffset == (offset < 0 ? offset : offset + count);
        if (count == LONGEST || nextNumber != number + count || !follows || nextSize != size) {
            end();
            number = nextNumber;
            offset = nextOffset;
            size = nextSize;
        }
        count++;
    }

    synchronized void end() {
        if (count > 0) {
            var run = Answer.object().put("number", number).put("offset", offset).put("size", size).put("count", count);
            out.line(Answer.object().set("run", run));
            count = 0;
        }
    }
}
