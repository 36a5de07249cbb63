//! TLS for tests: a client, a server, and authorities that openssl makes.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use super::command::run;
use super::folder::Folder;
use super::peers;

/// A client's end.
pub type Client = StreamOwned<ClientConnection, TcpStream>;

const CERT: &[u8] = include_bytes!("tls/cert.pem");
const KEY: &[u8] = include_bytes!("tls/key.pem");

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Speaks TLS as the client, and trusts the certificate in `tests/common/tls`.
pub fn client(stream: TcpStream) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERT).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(provider());
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    client.set_buffer_limit(None);
    StreamOwned::new(client, stream)
}

/// Takes bytes, to be sent once both ends agree on how.
///
/// # Errors
///
/// As the system says.
pub fn write(client: &mut Client, bytes: &[u8]) -> io::Result<usize> {
    client.conn.writer().write(bytes)
}

/// Sends what was taken. Where the other end does not answer yet, the rest is sent with the next read.
///
/// # Errors
///
/// As the system says.
pub fn flush(client: &mut Client) -> io::Result<()> {
    if client.conn.is_handshaking() {
        client.sock.set_read_timeout(Some(Duration::from_millis(500)))?;
        let shaken = client.conn.complete_io(&mut client.sock);
        client.sock.set_read_timeout(Some(super::LIMIT))?;
        return match shaken {
            Err(fault) if fault.kind() != io::ErrorKind::WouldBlock => Err(fault),
            _ => Ok(()),
        };
    }
    while client.conn.wants_write() {
        client.conn.write_tls(&mut client.sock)?;
    }
    Ok(())
}

/// A server's configuration with the certificate in `tests/common/tls`.
pub fn server() -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(provider());
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let chain = vec![CertificateDer::from_pem_slice(CERT).unwrap()];
    Arc::new(config.with_single_cert(chain, PrivateKeyDer::from_pem_slice(KEY).unwrap()).unwrap())
}

/// Certificates of an authority, made by openssl, in a folder of their own.
pub struct Authority {
    openssl: PathBuf,
    folder: Folder,
}

impl Authority {
    /// A new one; `None` where there is no openssl, and that was said.
    pub fn new(what: &str) -> Option<Self> {
        let openssl = peers::find(what, &["openssl"])?;
        let authority = Self { openssl, folder: Folder::new() };
        // Two of one name would be one that has changed its key.
        let subject = format!("/CN={}", authority.folder.path().file_name()?.to_str()?);
        authority.openssl(&["req", "-x509", "-subj", &subject, "-days", "30"], "ca");
        Some(authority)
    }

    fn openssl(&self, arguments: &[&str], name: &str) {
        let (key, cert) = (self.file(&format!("{name}.key")), self.file(&format!("{name}.pem")));
        let mut command = Command::new(&self.openssl);
        command.args(arguments).args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        let done = run(command.args(["-nodes", "-keyout", &key, "-out", &cert]), "");
        assert_eq!(done.code, Some(0), "{arguments:?}: {}", done.err);
    }

    /// The path of one of its files: `ca.pem`, `ca.key`, and those that were issued.
    pub fn file(&self, name: &str) -> String {
        self.folder.file(name).display().to_string()
    }

    /// Writes `NAME.pem` and `NAME.key` with this common name, for `localhost` and 127.0.0.1.
    pub fn issue(&self, name: &str, common: &str) {
        self.issue_with(name, common, "30", Some("subjectAltName=DNS:localhost,IP:127.0.0.1"));
    }

    /// The same, valid for so many days, with these extensions; without any it is of version 1.
    pub fn issue_with(&self, name: &str, common: &str, days: &str, extensions: Option<&str>) {
        let subject = format!("/CN={common}");
        let request = format!("{name}.req");
        self.openssl(&["req", "-subj", &subject], &request);
        std::fs::rename(self.file(&format!("{request}.key")), self.file(&format!("{name}.key")))
            .unwrap();
        let mut command = Command::new(&self.openssl);
        command.args(["x509", "-req", "-days", days, "-CAcreateserial"]);
        command.args(["-in", &self.file(&format!("{request}.pem"))]);
        command.args(["-CA", &self.file("ca.pem"), "-CAkey", &self.file("ca.key")]);
        command.args(["-out", &self.file(&format!("{name}.pem"))]);
        if let Some(extensions) = extensions {
            command.args(["-extfile", &self.folder.write(&format!("{name}.ext"), extensions)]);
        }
        let done = run(&mut command, "");
        assert_eq!(done.code, Some(0), "{name}: {}", done.err);
    }

    /// Runs openssl on its files.
    pub fn run(&self, arguments: &[&str]) -> super::Done {
        run(Command::new(&self.openssl).args(arguments).current_dir(self.folder.path()), "")
    }

    /// The value of a server's `tls`, or of a source's, with the pair of this name.
    pub fn keys(&self, name: &str, more: &str) -> String {
        let (cert, key) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        format!("{{cert: {cert}, key: {key}{more}}}")
    }
}
