; Master boot record of a Stickpress stick (layout mbr-dual, BIOS start).
;
; The BIOS reads sector 0 of the stick to 0:7C00 and jumps there with the drive
; number in DL. This code moves itself out of the way, finds the one active
; partition, reads that partition's first sector to 0:7C00 by its LBA address
; (32 bits, so there is no 8 GiB limit) and jumps to it.
;
; What the partition boot record finds:
;   DL    = the BIOS drive number, as the BIOS gave it
;   DS:SI = 0:the active entry of the partition table (BP holds SI too)
;   ES, SS = 0, SP = 7C00
;
; Memory: 0600-07FF this code, 7C00-7DFF the sector being read, stack below 7C00.
; The disk-address packet lives on the stack: a packet inside the buffer that is
; read into hangs SeaBIOS.
;
; Build: nasm -f bin -o mbr.bin mbr.asm      (440 bytes; disk signature and
; partition table follow in the sector and belong to whoever writes them)

        bits    16
        cpu     386
        org     0x0600

LOADED  equ     0x7c00                  ; where the BIOS put us, where the next sector goes
TABLE   equ     0x0600 + 446            ; partition table after the move
TRIES   equ     4                       ; reads of a slow or sleepy stick

start:
        cli
        xor     ax, ax
        mov     ss, ax
        mov     sp, LOADED
        sti
        cld
        mov     ds, ax
        mov     es, ax
        mov     si, LOADED
        mov     di, 0x0600
        mov     cx, 256
        rep     movsw
        jmp     0:moved

moved:
        ; Exactly one entry must carry 80h; any other flag but 0 means that
        ; this is no partition table.
        xor     bp, bp
        mov     si, TABLE
        mov     cx, 4
.entry:
        cmp     byte [si], 0x80
        jb      .inactive
        ja      bad_table
        test    bp, bp
        jnz     bad_table
        mov     bp, si
.next:
        add     si, 16
        loop    .entry
        test    bp, bp
        jz      no_active
        jmp     short check_lba
.inactive:
        cmp     byte [si], 0
        jne     bad_table
        jmp     short .next

check_lba:
        mov     ah, 0x41                ; are the extended disk services there?
        mov     bx, 0x55aa
        push    dx
        int     0x13
        pop     dx
        jc      no_lba
        cmp     bx, 0xaa55
        jne     no_lba
        test    cl, 1                   ; packet functions 42h-44h
        jz      no_lba

        mov     di, TRIES
.read:
        push    dword 0                 ; LBA, high half
        push    dword [bp + 8]          ; LBA of the partition's first sector
        push    word 0                  ; buffer segment
        push    word LOADED             ; buffer offset
        push    word 1                  ; sectors
        push    word 16                 ; size of this packet
        mov     si, sp
        mov     ah, 0x42
        push    dx
        push    di
        push    bp
        int     0x13
        pop     bp
        pop     di
        pop     dx
        lea     sp, [esp + 16]          ; drop the packet, keep the carry flag
        jnc     .done
        xor     ah, ah                  ; reset, then once more
        push    dx
        int     0x13
        pop     dx
        dec     di
        jnz     .read
        jmp     short read_error
.done:
        cmp     word [LOADED + 510], 0xaa55
        jne     no_boot_sector
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     si, bp
        jmp     0:LOADED

bad_table:
        mov     si, msg_table
        jmp     short fail
no_active:
        mov     si, msg_active
        jmp     short fail
no_lba:
        mov     si, msg_lba
        jmp     short fail
read_error:
        mov     si, msg_read
        jmp     short fail
no_boot_sector:
        mov     si, msg_sector

fail:                                   ; say why, wait for a key, let the BIOS try again
        push    si
        mov     si, msg_prefix
        call    print
        pop     si
        call    print
        mov     si, msg_key
        call    print
        xor     ah, ah
        int     0x16
        int     0x19
.halt:
        hlt
        jmp     short .halt

print:                                  ; text at DS:SI up to a zero byte
        lodsb
        test    al, al
        jz      .end
        mov     ah, 0x0e
        mov     bx, 7
        int     0x10
        jmp     short print
.end:
        ret

msg_prefix      db 13, 10, "Stickpress: ", 0
msg_table       db "the partition table is damaged", 0
msg_active      db "no partition is marked active", 0
msg_lba         db "this BIOS cannot read by LBA", 0
msg_read        db "cannot read the stick", 0
msg_sector      db "the boot partition has no boot sector", 0
msg_key         db 13, 10, "Press a key to restart.", 13, 10, 0

        times   440 - ($ - $$) db 0
