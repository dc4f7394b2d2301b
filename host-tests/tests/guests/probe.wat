;; A filter that does, callback by callback, what the first byte of its input tells it: it probes the host's rules.
;; One letter, one behaviour; see the branches below.
(module
  (import "env" "proxy_get_buffer_bytes" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_buffer_bytes" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $tick_period (param i32) (result i32)))
  (import "env" "proxy_http_call"
    (func $http (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))

  (memory (export "memory") 1024)
  (data (i32.const 64) "tick")
  (data (i32.const 72) "http")
  (data (i32.const 80) "reply")
  (data (i32.const 88) "pulsar-admin")
  ;; Three header pairs: 3, sizes (7,3) (5,2) (10,1), then the strings.
  (data (i32.const 128)
    "\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\02\00\00\00\0a\00\00\00\01\00\00\00"
    ":method\00GET\00:path\00/p\00:authority\00a\00")

  ;; The stream that ticks and HTTP answers inject into.
  (global $stream (mut i32) (i32.const 0))

  (func (export "proxy_abi_version_0_2_1"))
  ;; One buffer, used anew each time.
  (func (export "malloc") (param i32) (result i32) (i32.const 65536))

  (func $say (param $at i32) (param $size i32)
    (drop (call $log (i32.const 2) (local.get $at) (local.get $size))))

  ;; The first byte of buffer $kind, 0 if it is empty or not there.
  (func $first (param $kind i32) (result i32)
    (i32.store (i32.const 4) (i32.const 0))
    (drop (call $get (local.get $kind) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 4)))
    (if (result i32) (i32.load (i32.const 4))
      (then (i32.load8_u (i32.load (i32.const 0))))
      (else (i32.const 0))))

  ;; Replaces buffer $kind with $size bytes at $at. The status as a digit goes to the log.
  (func $replace (param $kind i32) (param $at i32) (param $size i32)
    (i32.store8 (i32.const 16)
      (i32.add (i32.const 48)
        (call $set (local.get $kind) (i32.const 0) (i32.const 0x7fffffff) (local.get $at) (local.get $size))))
    (call $say (i32.const 16) (i32.const 1)))

  (func $inject (param $at i32) (param $size i32)
    (call $replace (i32.const 2) (local.get $at) (local.get $size))
    (drop (call $continue (i32.const 2))))

  ;; The configuration "no" is refused.
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (i32.ne (call $first (i32.const 7)) (i32.const 110)))

  (func (export "proxy_on_downstream_data") (param $id i32) (param $size i32) (param $ends i32) (result i32)
    (local $what i32)
    (local.set $what (call $first (i32.const 2)))
    (global.set $stream (local.get $id))
    (if (local.get $ends) (then (return (i32.eq (local.get $what) (i32.const 80)))))         ;; P: Pause at the end
    (if (i32.eq (local.get $what) (i32.const 99)) (then (return (i32.const 0))))             ;; c: Continue
    (if (i32.eq (local.get $what) (i32.const 112)) (then (return (i32.const 1))))            ;; p: Pause
    (if (i32.eq (local.get $what) (i32.const 120)) (then (unreachable)))                     ;; x: trap
    (if (i32.eq (local.get $what) (i32.const 116)) (then (drop (call $tick_period (i32.const 10))))) ;; t: ticks
    (if (i32.eq (local.get $what) (i32.const 104)) (then                                     ;; h: HTTP call
      (drop (call $http (i32.const 88) (i32.const 12) (i32.const 128) (i32.const 62)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 50) (i32.const 8)))))
    (if (i32.eq (local.get $what) (i32.const 105)) (then                                     ;; i: inject at once
      (call $inject (i32.const 80) (i32.const 5)) (return (i32.const 1))))
    (if (i32.eq (local.get $what) (i32.const 100)) (then                                     ;; d: inject and close
      (drop (call $close (i32.const 2))) (call $inject (i32.const 80) (i32.const 5)) (return (i32.const 1))))
    (if (i32.eq (local.get $what) (i32.const 114)) (then                                     ;; r: random bytes
      (drop (call $random (i32.const 256) (i32.const 8))) (call $say (i32.const 256) (i32.const 8))))
    (call $replace (i32.const 2) (i32.const 64) (i32.const 0))                               ;; take all, Pause
    (i32.const 1))

  (func (export "proxy_on_upstream_data") (param $id i32) (param $size i32) (param $ends i32) (result i32)
    (local $what i32)
    (local.set $what (call $first (i32.const 3)))
    (if (i32.eq (local.get $what) (i32.const 112)) (then (return (i32.const 1))))            ;; p: Pause
    (if (i32.eq (local.get $what) (i32.const 114)) (then                                     ;; r: reply
      (call $replace (i32.const 3) (i32.const 80) (i32.const 5))))
    (if (i32.eq (local.get $what) (i32.const 120)) (then                                     ;; x: reply and close
      (call $replace (i32.const 3) (i32.const 80) (i32.const 5)) (drop (call $close (i32.const 2)))))
    (if (i32.eq (local.get $what) (i32.const 117)) (then (drop (call $continue (i32.const 3))))) ;; u: resume upstream
    (if (i32.eq (local.get $what) (i32.const 100)) (then                                     ;; d: take what waits downstream
      (call $replace (i32.const 2) (i32.const 64) (i32.const 0))))
    (if (i32.eq (local.get $what) (i32.const 105)) (then                                     ;; i: inject from here
      (call $inject (i32.const 80) (i32.const 5))))
    (i32.const 0))

  (func (export "proxy_on_tick") (param i32)
    ;; Before the effective context is set, the root has no stream.
    (call $replace (i32.const 2) (i32.const 64) (i32.const 4))
    (if (i32.eqz (call $effective (global.get $stream))) (then (call $inject (i32.const 64) (i32.const 4)))))

  (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    (drop (call $effective (global.get $stream)))
    (call $inject (i32.const 72) (i32.const 4)))

  (func (export "proxy_on_downstream_connection_close") (param i32) (param $by i32)
    (i32.store8 (i32.const 16) (i32.add (i32.const 48) (local.get $by)))
    (i32.store8 (i32.const 17) (i32.const 33))
    (call $say (i32.const 16) (i32.const 2))))
