//! What was noticed of faults, as a table.

use super::notice::Row;

/// Prints it, with what failed calls said.
pub(crate) fn print(rows: &[Row]) {
    println!(
        "\n{:<32}{:>8}{:>7}{:>6}{:>9}{:>9}{:>10}{:>10}{:>10}  neighbour",
        "", "", "", "", "", "", "longest,", "ms", "normal"
    );
    println!(
        "{:<32}{:>8}{:>7}{:>6}{:>9}{:>9}{:>10}{:>10}{:>10}{:>8}{:>13}",
        "fault",
        "calls",
        "failed",
        "lost",
        "unheard",
        "replayed",
        "read",
        "write",
        "after, ms",
        "failed",
        "longest, ms"
    );
    for Row { fault, notice } in rows {
        println!(
            "{fault:<32}{:>8}{:>7}{:>6}{:>9}{:>9}{:>10.0}{:>10.0}{:>10.0}{:>8}{:>13.0}",
            notice.tried,
            notice.failed,
            notice.lost,
            notice.unheard,
            notice.replayed,
            notice.longest_read,
            notice.longest_write,
            notice.normal_after,
            notice.neighbour_failed,
            notice.neighbour_longest
        );
    }
    for Row { fault, notice } in rows.iter().filter(|row| !row.notice.errors.is_empty()) {
        println!("\n{fault}:");
        for error in &notice.errors {
            println!("  {error}");
        }
    }
}
