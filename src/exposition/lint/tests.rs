//! How findings are worded, and the advice. The verdicts are in `tests/lint/cases.txt`, which
//! promtool is held against too.

use super::*;

/// Every finding of a page, one to a line.
fn said(page: &str) -> Vec<String> {
    let mut all = Vec::new();
    check(page.as_bytes(), &mut |finding| all.push(finding.to_string()));
    all
}

/// The same, less the advice to write HELP.
fn said_but_help(page: &str) -> Vec<String> {
    said(page).into_iter().filter(|line| !line.ends_with("has no HELP")).collect()
}

#[test]
fn faults_name_the_thing_the_value_and_the_rule() {
    let cases = [
        ("x 1", "1:4: the last line does not end: a line feed is missing"),
        ("x 1\r\n", "1:4: a carriage return: lines end in \\n alone"),
        ("9 1\n", "1:1: a line begins with a metric name, \"{\" or \"#\", not with \"9\""),
        ("# HELP 9 a\n", "1:8: HELP is followed by a metric name, not by \"9\""),
        ("# TYPE x.y a\n", "1:9: the metric name after TYPE ends with a blank, not with \".\""),
        (
            "# TYPE x info\n",
            "1:10: \"info\" is no metric type: counter, gauge, histogram, summary or untyped",
        ),
        ("# HELP x \\a\n", "1:10: \\a is no escape in HELP: \\\\ and \\n are"),
        ("# HELP x \\", "1:10: \\ at the end of the line is no escape in HELP: \\\\ and \\n are"),
        (
            "x{a=\"\\é\"} 1\n",
            "1:6: \\é is no escape in the value of label \"a\": \\\\, \\\" and \\n are",
        ),
        ("x{a=b} 1\n", "1:5: the value of label \"a\" begins with a quote, not with \"b\""),
        ("x{a} 1\n", "1:4: label \"a\" is followed by \"=\", not by \"}\""),
        (
            "x{a=\"b\"\n",
            "1:8: the value of label \"a\" is followed by \",\" or \"}\", not by the end of the line",
        ),
        (
            "x-y 1\n",
            "1:2: metric name \"x\" goes on with \"-y\": letters, digits, \"_\" and \":\" make a name",
        ),
        ("x -y\n", "1:3: value \"-y\" is no decimal number, NaN, +Inf or -Inf"),
        ("x 1e999\n", "1:3: value \"1e999\" is more than a float of 64 bits holds, about 1.8e308"),
        ("x 1 1.5\n", "1:5: timestamp \"1.5\" is no whole number of milliseconds"),
        ("x 1 5 #\n", "1:7: nothing comes after the timestamp, but here is \"#\""),
    ];
    for (page, want) in cases {
        assert_eq!(said(page).first().map(String::as_str), Some(want), "{page:?}");
    }
}

#[test]
fn faults_between_lines_name_the_other_line() {
    let cases = [
        (
            "x 1\ny 1\nx{a=\"b\"} 1\n",
            "3:1: \"x\" goes on here, but was left on line 1: a metric's lines stand together",
        ),
        ("# TYPE x gauge\n# TYPE x gauge\n", "2:8: second TYPE for \"x\": the first is on line 1"),
        (
            "# TYPE x summary\n# TYPE x_sum gauge\n",
            "2:8: second TYPE for \"x\", to which \"x_sum\" belongs: the first is on line 1",
        ),
        ("x 1\n# HELP x a\n", "2:8: HELP for \"x\" after its samples, which begin on line 1"),
    ];
    for (page, want) in cases {
        assert_eq!(said(page).first().map(String::as_str), Some(want), "{page:?}");
    }
}

#[test]
fn every_line_is_judged() {
    let page = "x{a=\"b\",a=\"c\"} y\n\n# TYPE x gauge \nz 1 \nx 1";
    let lines: Vec<_> = said_but_help(page).iter().map(|line| line[..4].to_owned()).collect();
    assert_eq!(lines, ["1:9:", "1:16", "3:8:", "3:10", "4:4:", "5:1:", "5:4:"]);
}

#[test]
fn long_values_are_cut() {
    let page = format!("x {}\n", "y".repeat(100));
    let want =
        format!("1:3: value \"{}…\" is no decimal number, NaN, +Inf or -Inf", "y".repeat(60));
    assert_eq!(said(&page).first(), Some(&want));
}

#[test]
fn advice_on_names_and_labels() {
    let cases: &[(&str, &[&str])] = &[
        ("# HELP x_total a\n# TYPE x_total counter\nx_total 1\n", &[]),
        ("# TYPE x counter\nx 1\n", &["1:8: warning: counter \"x\" does not end in \"_total\""]),
        (
            "# TYPE x_total gauge\nx_total 1\n",
            &["1:8: warning: \"x_total\" ends in \"_total\" but is no counter"],
        ),
        ("x_total 1\n", &[]),
        (
            "# TYPE x_sum gauge\nx_sum 1\n",
            &["1:8: warning: \"x_sum\" ends in \"_sum\" as a histogram's or summary's samples do"],
        ),
        ("x_sum 1\n", &[]),
        (
            "# TYPE x gauge\nx{le=\"1\"} 1\n",
            &["2:3: warning: label \"le\" is for histograms, but \"x\" is none"],
        ),
        ("x{le=\"1\"} 1\n", &[]),
        ("x:y 1\n", &["1:1: warning: \"x:y\" has a \":\", which is for names of recording rules"]),
        (
            "xY{zA=\"\"} 1\n",
            &[
                "1:1: warning: \"xY\" is not in snake_case",
                "1:4: warning: \"zA\" is not in snake_case",
            ],
        ),
        ("x_ms 1\n", &["1:1: warning: \"x_ms\" is in ms, but the base unit is seconds"]),
        (
            "# TYPE a_kb_total counter\na_kb_total 1\n",
            &["1:8: warning: \"a_kb_total\" is in kb, but the base unit is bytes"],
        ),
        ("ms 1\nx_seconds 1\ndays_left_seconds 1\n", &[]),
    ];
    for (page, want) in cases {
        assert_eq!(said_but_help(page), *want, "{page:?}");
    }
}

#[test]
fn advice_on_what_does_not_do_as_meant() {
    let cases: &[(&str, &[&str])] = &[
        (
            "# TYPE x histogram\nx_bucket 1\n",
            &["2:1: warning: neither sum nor count, but without label \"le\""],
        ),
        (
            "# TYPE x histogram\nx_count -1\n",
            &["2:9: warning: a histogram counts less than nothing: newer tools refuse the page"],
        ),
        (
            "x 1\nx 2\n",
            &["2:1: warning: the same series as on line 1: Prometheus drops one of them"],
        ),
        (
            "x{a=\"\"} 1\nx 2\n",
            &["2:1: warning: the same series as on line 1: Prometheus drops one of them"],
        ),
        ("x 1 1\nx 1 2\nx{a=\"b\"} 1\nx{a=\"c\"} 1\n", &[]),
        ("\tx 1\n", &["1:1: warning: Prometheus takes the blanks into the metric name"]),
        ("x 1 -5\n", &["1:5: warning: the timestamp has a sign: Prometheus refuses the page"]),
        (
            "#TYPE x gauge\nx 1\n",
            &["1:1: warning: \"#TYPE\" without a blank is a mere comment to Prometheus"],
        ),
        ("# TYPE x\nx 1\n", &["1:9: warning: TYPE is unfinished: Prometheus refuses the page"]),
        ("# HELP x a\r\n", &["1:11: warning: HELP ends in a carriage return"]),
        (
            "# TYPE x GAUGE\nx 1\n",
            &[
                "1:10: warning: type \"GAUGE\" is not exactly counter, gauge, histogram, summary or \
               untyped after one blank: Prometheus refuses the page",
            ],
        ),
    ];
    for (page, want) in cases {
        assert_eq!(said_but_help(page), *want, "{page:?}");
    }
}

#[test]
fn a_valid_page_is_valid_up_to_every_line_end_and_nowhere_else() {
    let page = "# HELP x a \\\\ b\\n\n# TYPE x histogram\nx_bucket{le=\"1\",a=\"\\\"\"} 1\n\n\
                x_sum 1 5\nx_count +Inf\n{\"y.z\",b=\"c\"} 1\n";
    for cut in 0..=page.len() {
        let page = &page[..cut];
        let mut faults = 0;
        check(page.as_bytes(), &mut |finding| faults += usize::from(finding.fault().is_some()));
        assert_eq!(faults == 0, page.is_empty() || page.ends_with('\n'), "{page:?}");
    }
}

#[test]
fn help_is_missed_on_families_with_samples_only() {
    let page = "# TYPE x histogram\nx_sum 1\n# TYPE y gauge\n# HELP z a\nz 1\na 1\n";
    assert_eq!(said(page), ["1:8: warning: \"x\" has no HELP", "6:1: warning: \"a\" has no HELP"]);
}
