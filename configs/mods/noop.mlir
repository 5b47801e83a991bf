// Plain attention: every query sees every key.

attn.mod @noop
