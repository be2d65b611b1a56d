//! Columns like Docker's: upper-case headers, two spaces, no lines.

use comfy_table::{ContentArrangement, Table, presets::NOTHING};

/// Aligns rows under their headers; every line ends with a newline.
pub(in crate::cli) fn table<H, R>(headers: H, rows: R) -> String
where
    H: IntoIterator<Item: Into<String>>,
    R: IntoIterator<Item = Vec<String>>,
{
    let headers: Vec<String> = headers.into_iter().map(Into::into).collect();
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headers)
        .add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["1".to_owned(), "grün".to_owned(), "x".to_owned()]];

        let text = table(["LONG HEADER", "NAME", "Y"], rows);

        assert_eq!(text, "LONG HEADER  NAME  Y\n1            grün  x\n");
    }

    #[test]
    fn without_rows_the_header_stands_alone() {
        assert_eq!(table(["NAME", "VNI"], []), "NAME  VNI\n");
    }
}
