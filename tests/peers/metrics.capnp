@0xfb4ded7f739d5651;
struct InboundMetrics {
  appName @0 :Text;
  data @1 :Text;
}
