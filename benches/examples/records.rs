//! Translates one kind of batch a number of times: for counting instructions, see `instructions/run`.
//!
//! `records list`, or `records send|read CASE TIMES` with the case's number in the list.

use isthmus_benches::records::{Translator, cases};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|argument| argument.parse::<usize>().ok());
    let cases = cases();
    let run = match arguments.first().map(String::as_str) {
        Some("send") => Translator::send,
        Some("read") => Translator::read,
        _ => {
            for (number, case) in cases.iter().enumerate() {
                println!("{number}\t{}\t{}", case.records, case.name);
            }
            return;
        }
    };
    let mut translator = Translator::default();
    if let (Some(case), Some(times)) = (number(1).and_then(|case| cases.get(case)), number(2)) {
        let bytes: usize = (0..times).map(|_| run(&mut translator, case)).sum();
        println!("{bytes} bytes");
    }
}
