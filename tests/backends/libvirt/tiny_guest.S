.code16
.globl start
start:
  cli
  xorw %ax,%ax
  movw %ax,%ds
  movw %ax,%ss
  movw $0x7000,%sp
  movw $0x7c00+(irq-start), 0x20      /* int 8: timer */
  movw %ax, 0x22
  movw $0x7c00+(irq-start), 0x30      /* int 0c: COM1 */
  movw %ax, 0x32
  movb %al, 0x500                     /* ignore flag */
  movw $0x3fb,%dx ; movb $0x80,%al ; outb %al,%dx
  movw $0x3f8,%dx ; movb $1,%al ; outb %al,%dx
  incw %dx ; decb %al ; outb %al,%dx
  movw $0x3fb,%dx ; movb $3,%al ; outb %al,%dx
  movw $0x3f9,%dx ; movb $1,%al ; outb %al,%dx
  movw $0x3fc,%dx ; movb $0x0b,%al ; outb %al,%dx
  inb $0x21,%al ; andb $0xee,%al ; outb %al,$0x21
  movw $0x602,%dx ; movw $0x100,%ax ; outw %ax,%dx
  movw $0x7c00+(msg-start),%si
1: lodsb
  testb %al,%al
  jz loop
  call putc
  jmp 1b
loop:
  cli
  movw $0x3fd,%dx ; inb %dx,%al ; testb $1,%al
  jnz key
  movw $0x600,%dx ; inw %dx,%ax ; testb $1,%ah
  jnz button
  sti
  hlt
  jmp loop
button:
  outw %ax,%dx                        /* write one to clear */
  testb $1,0x500
  jnz loop
off:
  movw $0x604,%dx ; movw $0x2000,%ax ; outw %ax,%dx
  jmp loop
key:
  movw $0x3f8,%dx ; inb %dx,%al
  cmpb $0x10,%al                      /* ^P power off */
  je off
  cmpb $0x12,%al                      /* ^R reset */
  je reset
  cmpb $0x0e,%al                      /* ^N ignore the power button */
  je deaf
  cmpb $0x06,%al                      /* ^F flood 64 KiB */
  je flood
  call putc
  jmp loop
reset:
  movw $0xcf9,%dx ; movb $6,%al ; outb %al,%dx
  jmp loop
deaf:
  movb $1,0x500
  jmp loop
flood:
  xorw %cx,%cx
2: movb %cl,%al
  andb $0x3f,%al
  addb $0x30,%al
  call putc
  loop 2b
  jmp loop
putc:
  pushw %dx
  pushw %ax
  movw $0x3fd,%dx
3: inb %dx,%al ; testb $0x20,%al
  jz 3b
  popw %ax
  movw $0x3f8,%dx
  outb %al,%dx
  popw %dx
  ret
irq:
  pushw %ax
  movb $0x20,%al
  outb %al,$0x20
  popw %ax
  iret
msg: .asciz "READY\r\n"
.org 510
.word 0xaa55
