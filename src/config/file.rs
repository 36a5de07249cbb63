//! What the file says: its keys and the shape of their values, nothing judged yet.
//!
//! `keys!` names, for each map of the file, the keys that are built, those of them that a cargo feature
//! brings and, after `later:`, those that the design has and this version refuses.

use super::at::At;
use super::error::Fault;
use super::node::Node;
use super::shape::{Expected, Keys, LeftOut, Named, OneOrMany, Shape, Text, elements, misfit};

/// A map with known keys, each of which may be absent.
macro_rules! keys {
    (
        $(#[$doc:meta])*
        $name:ident, $what:literal {
            $($(#[cfg(feature = $feature:literal)])? $key:ident: $kind:ty,)*
        }
        later: [$($later:literal),*]
    ) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name {
            $($(#[cfg(feature = $feature)])? pub(super) $key: Option<$kind>,)*
        }

        impl Keys for $name {
            const WHAT: &'static str = $what;
            const BUILT: &'static [&'static str] =
                &[$($(#[cfg(feature = $feature)])? stringify!($key)),*];
            const LEFT_OUT: &'static [LeftOut] =
                &[$($(#[cfg(not(feature = $feature))] LeftOut { key: stringify!($key), feature: $feature },)?)*];
            const LATER: &'static [&'static str] = &[$($later),*];

            fn take(&mut self, key: &str, node: Node, at: &At<'_>) -> Result<(), Fault> {
                match key {
                    $(
                        $(#[cfg(feature = $feature)])?
                        stringify!($key) => self.$key = Some(Shape::read(node, at)?),
                    )*
                    _ => return Err(Fault::key(at, key, "is unknown here")),
                }
                Ok(())
            }
        }
    };
}

#[cfg(feature = "tls")]
pub(super) use keys;

keys! {
    /// The whole file.
    File, "a configuration" {
        servers: Servers,
        sources: Named<SourceFile>,
        sources_dir: OneOrMany<Text>,
        limits: LimitsFile,
        #[cfg(feature = "pipe")]
        pipes: Pipes,
    }
    later: []
}

keys! {
    /// One of `servers`.
    ServerFile, "a server" {
        listen: OneOrMany<ListenFile>,
        allow: OneOrMany<Text>,
        auth: AccessFile,
        #[cfg(feature = "tls")]
        tls: TlsFile,
        #[cfg(feature = "tls")]
        web_config: Text,
        routes: Named<RouteFile>,
        status: Text,
        #[cfg(feature = "push")]
        advertise: Text,
    }
    later: []
}

keys! {
    /// Who may log in at a server.
    AccessFile, "logins" {
        bearer_token: OneOrMany<Text>,
        bearer_token_file: OneOrMany<Text>,
        #[cfg(feature = "tls")]
        basic: Named<Text>,
        #[cfg(feature = "tls")]
        basic_file: Named<Text>,
    }
    later: []
}

#[cfg(feature = "tls")]
keys! {
    /// TLS at a server.
    TlsFile, "TLS at a server" {
        cert: Text,
        key: Text,
        client_ca: Text,
        client_match: Text,
    }
    later: []
}

#[cfg(feature = "tls")]
keys! {
    /// TLS at a source.
    ClientTlsFile, "TLS at a source" {
        ca: Text,
        cert: Text,
        key: Text,
        server_name: Text,
        insecure_skip_verify: Text,
    }
    later: []
}

keys! {
    /// The long form of an address.
    ListenKeys, "an address" {
        address: Text,
        mode: Text,
        owner: Text,
        group: Text,
    }
    later: []
}

keys! {
    /// What a path answers.
    RouteFile, "a route" {
        merge: MergeFile,
        proxy: ProxyFile,
        #[cfg(feature = "klipper")]
        probe: ProbeKeys,
        #[cfg(feature = "push")]
        receive: Text,
        #[cfg(feature = "push")]
        relay: Text,
        #[cfg(feature = "push")]
        apps: OneOrMany<Text>,
        #[cfg(feature = "push")]
        sd: SdFile,
    }
    later: []
}

keys! {
    /// The long form of a merge.
    MergeKeys, "a merge" {
        sources: OneOrMany<Text>,
        label: Text,
        on_conflict: Text,
        strict: Text,
        forward_params: OneOrMany<Text>,
        compress: Text,
    }
    later: []
}

keys! {
    /// The long form of a proxy.
    ProxyKeys, "a proxy" {
        sources: OneOrMany<Text>,
        default: Text,
        compress: Text,
    }
    later: []
}

keys! {
    /// One of `sources`.
    SourceFile, "a source" {
        http: HttpFile,
        #[cfg(feature = "local")]
        file: FileKeys,
        #[cfg(feature = "local")]
        exec: ExecFile,
        #[cfg(feature = "klipper")]
        klipper: KlipperKeys,
        #[cfg(feature = "push")]
        push: PushFile,
        timeout: Text,
        labels: Named<Text>,
        cache: Text,
        every: Text,
        max_age: Text,
        verify: Text,
        on_malformed: Text,
    }
    later: []
}

keys! {
    /// How an exporter is reached.
    HttpFile, "an http source" {
        url: Text,
        headers: Named<Text>,
        headers_file: Named<Text>,
        auth: AuthFile,
        redirects: Text,
        #[cfg(feature = "tls")]
        tls: ClientTlsFile,
    }
    later: []
}

#[cfg(feature = "local")]
keys! {
    /// Which files are read.
    FileKeys, "a file source" {
        path: Text,
    }
    later: []
}

#[cfg(feature = "local")]
keys! {
    /// What is run, and how.
    ExecFile, "an exec source" {
        command: OneOrMany<Text>,
        env: Named<Text>,
        env_file: Named<Text>,
        clear_env: Text,
        cwd: Text,
        allow_args: Text,
    }
    later: []
}

#[cfg(feature = "klipper")]
keys! {
    /// Which printers may be asked for, and what they are asked for.
    ProbeKeys, "a probe" {
        modules: OneOrMany<Text>,
        targets: OneOrMany<Text>,
        live_endstops: Text,
        only_ready: Text,
    }
    later: []
}

#[cfg(feature = "push")]
keys! {
    /// The long form of service discovery.
    SdKeys, "service discovery" {
        only: OneOrMany<Text>,
        sd_keep: Text,
    }
    later: []
}

#[cfg(feature = "push")]
keys! {
    /// Where applications bring their pages.
    PushFile, "a push source" {
        listen: OneOrMany<ListenFile>,
        format: Text,
        ttl: Text,
        max_ttl: Text,
        apps: Text,
    }
    later: []
}

#[cfg(feature = "klipper")]
keys! {
    /// How a Klipper printer is reached, and what it is asked for.
    KlipperKeys, "a klipper source" {
        target: Text,
        modules: OneOrMany<Text>,
        api_key: Text,
        api_key_file: Text,
        live_endstops: Text,
        only_ready: Text,
        #[cfg(feature = "tls")]
        tls: ClientTlsFile,
    }
    later: []
}

keys! {
    /// How fanin logs in at an exporter.
    AuthFile, "a login" {
        bearer_token: Text,
        bearer_token_file: Text,
        basic: BasicFile,
    }
    later: []
}

keys! {
    /// User and password.
    BasicFile, "a user with a password" {
        user: Text,
        password: Text,
        password_file: Text,
    }
    later: []
}

#[cfg(feature = "pipe")]
keys! {
    /// One of `pipes`.
    PipeFile, "a pipe" {
        name: Text,
        from: OneOrMany<Text>,
        to: Text,
        protocol: Text,
        every: Text,
        timeout: Text,
        labels: Named<Text>,
        label: Text,
        on_conflict: Text,
        compress: Text,
        token_file: Text,
        auth: AuthFile,
        #[cfg(feature = "tls")]
        tls: ClientTlsFile,
    }
    later: ["spool"]
}

keys! {
    /// What the program may use.
    LimitsFile, "limits" {
        memory: Text,
        connections: Text,
        body: Text,
        families: Text,
        kept: Text,
        header_timeout: Text,
        idle_timeout: Text,
        body_timeout: Text,
        write_timeout: Text,
        scrape_timeout: Text,
    }
    later: []
}

/// The list of servers.
#[derive(Debug)]
pub(super) struct Servers(pub(super) Vec<ServerFile>);

impl Shape for Servers {
    fn expected() -> String {
        "a list of servers (each begins with \"- listen:\")".to_owned()
    }

    fn read_as(node: Node, at: &At<'_>, expected: Expected<'_>) -> Result<Self, Fault> {
        match node {
            Node::List(nodes) => elements(nodes, at).map(Self),
            node => Err(misfit(&node, at, expected)),
        }
    }
}

/// The list of pipes.
#[cfg(feature = "pipe")]
#[derive(Debug)]
pub(super) struct Pipes(pub(super) Vec<PipeFile>);

#[cfg(feature = "pipe")]
impl Shape for Pipes {
    fn expected() -> String {
        "a list of pipes (each begins with \"- from:\")".to_owned()
    }

    fn read_as(node: Node, at: &At<'_>, expected: Expected<'_>) -> Result<Self, Fault> {
        match node {
            Node::List(nodes) => elements(nodes, at).map(Self),
            node => Err(misfit(&node, at, expected)),
        }
    }
}

/// An address: `tcp://127.0.0.1:80`, or `{address: unix:///run/x, mode: 0660}`.
#[derive(Debug)]
pub(super) enum ListenFile {
    Short(Text),
    Long(ListenKeys),
}

impl Shape for ListenFile {
    fn expected() -> String {
        "an address, or an address with its mode".to_owned()
    }

    fn read_as(node: Node, at: &At<'_>, expected: Expected<'_>) -> Result<Self, Fault> {
        match node {
            Node::Single(text) => Ok(Self::Short(Text(text))),
            Node::Map(_) => Shape::read(node, at).map(Self::Long),
            node => Err(misfit(&node, at, expected)),
        }
    }
}

/// Sources of an outlet: a name, a list of names, or these with more.
#[derive(Debug)]
pub(super) enum OutletFile<K> {
    Short(OneOrMany<Text>),
    Long(K),
}

/// A merge.
pub(super) type MergeFile = OutletFile<MergeKeys>;

/// A proxy.
pub(super) type ProxyFile = OutletFile<ProxyKeys>;

impl<K: Shape> Shape for OutletFile<K> {
    fn expected() -> String {
        "a source's name, a list of names, or a map with sources".to_owned()
    }

    fn read_as(node: Node, at: &At<'_>, expected: Expected<'_>) -> Result<Self, Fault> {
        match node {
            Node::Map(_) => K::read(node, at).map(Self::Long),
            node => Shape::read_as(node, at, expected).map(Self::Short),
        }
    }
}

/// Service discovery: `all`, paths of routes, or a map.
#[cfg(feature = "push")]
#[derive(Debug)]
pub(super) enum SdFile {
    Short(OneOrMany<Text>),
    Long(SdKeys),
}

#[cfg(feature = "push")]
impl Shape for SdFile {
    fn expected() -> String {
        "all, a route's path, a list of paths, or a map".to_owned()
    }

    fn read_as(node: Node, at: &At<'_>, expected: Expected<'_>) -> Result<Self, Fault> {
        match node {
            Node::Map(_) => Shape::read(node, at).map(Self::Long),
            node => Shape::read_as(node, at, expected).map(Self::Short),
        }
    }
}
