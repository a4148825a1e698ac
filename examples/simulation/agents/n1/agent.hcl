node_name        = "n1"
server           = true
bootstrap_expect = 3
retry_join       = ["10.1.0.1", "10.1.0.2", "10.1.0.3"]
bind_addr        = "10.1.0.1"
data_dir         = "/var/lib/tribune"

connect {
  enabled = true
}
