import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.DriverManager;
import java.sql.SQLException;

/** Runs SQL at the database that the argument names (a JDBC URL): a statement in, a line out, `ok` or what is wrong. */
public final class Sql {
    public static void main(String[] args) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (var connection = DriverManager.getConnection(args[0]); var statement = connection.createStatement()) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                System.out.println(outcome(statement, line));
            }
        }
    }

    private static String outcome(java.sql.Statement statement, String sql) {
        try {
            statement.execute(sql);
            return "ok";
        } catch (SQLException error) {
            return error.getMessage().replace('\n', ' ');
        }
    }
}
