{
  "Job": {
    "ID": "web-1",
    "Name": "web-1",
    "Type": "service",
    "TaskGroups": [
      {
        "Name": "web-1",
        "Count": 1,
        "EphemeralDisk": {
          "SizeMB": 8192
        },
        "RestartPolicy": {
          "Attempts": 3,
          "Interval": 1800000000000,
          "Delay": 5000000000,
          "Mode": "delay"
        },
        "Networks": [
          {
            "DynamicPorts": [
              {
                "Label": "tcp-80",
                "To": 8080
              },
              {
                "Label": "udp-53",
                "To": 53
              },
              {
                "Label": "tcp-443",
                "To": 443
              }
            ]
          }
        ],
        "Services": [
          {
            "Name": "web-1-tcp-80",
            "PortLabel": "tcp-80",
            "Provider": "nomad",
            "Checks": [
              {
                "Type": "tcp",
                "Interval": 30000000000,
                "Timeout": 30000000000
              }
            ]
          },
          {
            "Name": "web-1-udp-53",
            "PortLabel": "udp-53",
            "Provider": "nomad"
          },
          {
            "Name": "web-1-tcp-443",
            "PortLabel": "tcp-443",
            "Provider": "nomad",
            "Checks": [
              {
                "Type": "tcp",
                "Interval": 30000000000,
                "Timeout": 30000000000
              }
            ]
          }
        ],
        "Volumes": {
          "volumes": {
            "Type": "host",
            "Source": "web-1-volumes"
          }
        },
        "Tasks": [
          {
            "Name": "vm",
            "Driver": "docker",
            "Config": {
              "image": "registry.example/banger:1",
              "args": [
                "vm",
                "run",
                "--",
                "",
                " ",
                "%n %% %",
                "$HOME $${HOME} $$ $(HOME) $$${HOME}",
                "%%{ if true }%%{ endif }",
                "\"'\\",
                "\\x41 \\n \\",
                "a\nb\r\tc\u0001",
                ";",
                "#",
                "-",
                "--",
                "yes",
                "1e3",
                "0x10",
                "null",
                "~",
                "{a: b}",
                "[x]",
                "&x *y !z |",
                "---\nkind: Secret",
                "ü→🦀",
                "`id`",
                "<&>"
              ],
              "ports": [
                "tcp-80",
                "udp-53",
                "tcp-443"
              ],
              "devices": [
                {
                  "host_path": "/dev/kvm",
                  "container_path": "/dev/kvm"
                }
              ],
              "cap_drop": [
                "all"
              ],
              "security_opt": [
                "no-new-privileges"
              ]
            },
            "Resources": {
              "CPU": 2000,
              "MemoryMB": 1280
            },
            "KillTimeout": 90000000000,
            "VolumeMounts": [
              {
                "Volume": "volumes",
                "Destination": "/var/lib/banger/volumes"
              }
            ]
          }
        ]
      }
    ]
  }
}
