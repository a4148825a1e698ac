service {
  name = "web"
  port = 8080

  connect {
    proxy {
      config {
        upstreams = [
          {
            destination_name = "db"
            local_bind_port  = 9191
          }
        ]
      }
    }
  }

  check {
    http     = "http://127.0.0.1:8080/health"
    interval = "5s"
  }
}
