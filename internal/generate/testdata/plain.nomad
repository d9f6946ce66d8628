{
  "Job": {
    "ID": "job",
    "Name": "job",
    "Type": "batch",
    "TaskGroups": [
      {
        "Name": "job",
        "Count": 100,
        "EphemeralDisk": {
          "SizeMB": 1024
        },
        "RestartPolicy": {
          "Attempts": 3,
          "Interval": 1800000000000,
          "Delay": 5000000000,
          "Mode": "fail"
        },
        "Tasks": [
          {
            "Name": "vm",
            "Driver": "docker",
            "Config": {
              "image": "localhost/banger",
              "args": [
                "vm",
                "run",
                "--foreground",
                "--rm",
                "--",
                "make",
                "test"
              ],
              "cap_drop": [
                "all"
              ],
              "security_opt": [
                "no-new-privileges"
              ]
            },
            "Resources": {
              "CPU": 1000,
              "MemoryMB": 768
            },
            "KillTimeout": 90000000000
          }
        ]
      }
    ]
  }
}
