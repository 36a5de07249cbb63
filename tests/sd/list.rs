//! A reader of such lists that takes JSON as Prometheus does, and nothing but what it takes.

/// Targets in the order of the list.
pub(crate) struct List {
    pub(crate) targets: Vec<Target>,
}

/// One of them.
pub(crate) struct Target {
    pub(crate) address: String,
    labels: Vec<(String, String)>,
}

impl List {
    /// Reads a whole list; panics where it is none.
    pub(crate) fn read(text: &str) -> Self {
        let mut json = Json(text);
        let mut targets = Vec::new();
        json.expect('[');
        while !json.takes(']') {
            if !targets.is_empty() {
                json.expect(',');
            }
            targets.push(json.target());
        }
        assert!(json.0.trim().is_empty(), "behind the list: {:?}", json.0);
        Self { targets }
    }

    /// The values of a label, of each target.
    pub(crate) fn labels(&self, name: &str) -> Vec<String> {
        self.targets.iter().map(|it| it.label(name).unwrap().to_owned()).collect()
    }
}

impl Target {
    /// The value of a label.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All labels.
    pub(crate) fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    /// What Prometheus asks for, as Go's `net/url` writes it.
    pub(crate) fn url(&self) -> String {
        let path = self.label("__metrics_path__").unwrap();
        let mut url: String = path.split('/').map(percent).collect::<Vec<_>>().join("/");
        for (name, value) in &self.labels {
            if let Some(name) = name.strip_prefix("__param_") {
                url.push_str(&format!("?{name}={}", percent(value)));
            }
        }
        url
    }
}

/// A segment as Go escapes it.
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"$&+,:;=@-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

struct Json<'a>(&'a str);

impl Json<'_> {
    fn takes(&mut self, wanted: char) -> bool {
        self.0 = self.0.trim_start_matches([' ', '\n', '\r', '\t']);
        let rest = self.0.strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) {
        assert!(self.takes(wanted), "no {wanted:?} in front of {:.60}", self.0);
    }

    fn key(&mut self, wanted: &str) {
        assert_eq!(self.text(), wanted);
        self.expect(':');
    }

    fn target(&mut self) -> Target {
        self.expect('{');
        self.key("targets");
        self.expect('[');
        let address = self.text();
        self.expect(']');
        self.expect(',');
        self.key("labels");
        self.expect('{');
        let mut labels: Vec<(String, String)> = Vec::new();
        while !self.takes('}') {
            if !labels.is_empty() {
                self.expect(',');
            }
            let name = self.text();
            self.expect(':');
            assert!(labels.iter().all(|(known, _)| *known != name), "{name} twice");
            labels.push((name, self.text()));
        }
        self.expect('}');
        Target { address, labels }
    }

    fn text(&mut self) -> String {
        self.expect('"');
        let mut text = String::new();
        let mut letters = self.0.chars();
        loop {
            match letters.next().unwrap() {
                '"' => break,
                '\\' => text.push(match letters.next().unwrap() {
                    'u' => {
                        let digits: String = letters.by_ref().take(4).collect();
                        let code = u32::from_str_radix(&digits, 16).unwrap();
                        char::from_u32(code).unwrap()
                    }
                    'n' => '\n',
                    letter @ ('"' | '\\' | '/') => letter,
                    letter => panic!("\\{letter}"),
                }),
                letter => {
                    assert!(letter >= ' ', "{letter:?} in a text");
                    text.push(letter);
                }
            }
        }
        self.0 = letters.as_str();
        text
    }
}
