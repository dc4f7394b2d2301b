import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.tools.consumer.group.ConsumerGroupCommand;

/**
 * kafka-consumer-groups, asked many times in one process, since starting one takes longer than the answer: a line of arguments in,
 * the exit status and the number of the bytes printed in one line out, and then these bytes.
 */
public final class Questions {
    private static final class Exited extends Error {
        final int status;

        Exited(int status) {
            super(null, null, false, false);
            this.status = status;
        }
    }

    public static void main(String[] args) throws Exception {
        Exit.setExitProcedure((status, message) -> {
            throw new Exited(status);
        });
        PrintStream out = System.out;
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            var printed = new ByteArrayOutputStream();
            var stream = new PrintStream(printed, true, StandardCharsets.UTF_8);
            System.setOut(stream);
            System.setErr(stream);
            int status = 0;
            try {
                ConsumerGroupCommand.main(line.split(" "));
            } catch (Exited exited) {
                status = exited.status;
            }
            stream.flush();
            out.println(status + " " + printed.size());
            out.flush();
            printed.writeTo(out);
            out.flush();
        }
    }
}
